"""What a manifest may say of one agent: each key, what is wrong with its value, and the deployment that comes of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caxton.acl.capability import check_capability
from caxton.agents.deployment import Deployment
from caxton.agents.limits import BOUNDS, DEFAULT_LIMITS, Limits
from caxton.agents.manifest import DEFAULT_WEIGHT, MAX_CAPABILITIES, MAX_WEIGHT, Encoding
from caxton.agents.module_imports import KNOWN_IMPORTS, MAX_IMPORTS
from caxton.agents.names import new_name, normal_label, normal_name
from caxton.errors import Unsupported, ValidationError
from caxton.manifests.mistakes import Mistakes, unknown
from caxton.manifests.modules import Modules, ReadModule, check_imports
from caxton.manifests.places import Key, Places
from caxton.printable import shown

PROFILE = "default"
_ENCODINGS = ("content", "msgpack")
_WANTED = ("name", "wasm")


class AgentTable:
    """Reads one agent's table. What is wrong goes to `mistakes`, and does not keep the rest from being looked at."""

    def __init__(self, file: Path, places: Places, modules: Modules, mistakes: Mistakes) -> None:
        self._file = file
        self._places = places
        self._modules = modules
        self._mistakes = mistakes
        self._at: Key = ()

    def read(self, at: Key, table: dict[str, Any], system: str = "") -> Deployment | None:
        """Return the deployment that stands at `at`; None when something is wrong."""
        self._at = at
        before = len(self._mistakes)
        for key in table:
            if key not in KEYS:
                self.wrong((key,), "" if self._mistakes.is_full else unknown(key, KEYS, "key"))
        for key in _WANTED:
            if key not in table:
                self.wrong((), f"there is no {key}")
        read: dict[str, Any] = {}
        for key, meaning in KEYS.items():
            if key in table:
                with self.noting((key,)):
                    read[key] = meaning(self, table[key])
        self._check_together(read)
        if len(self._mistakes) > before:
            return None
        module: ReadModule = read["wasm"]
        return Deployment(
            read["name"],
            module.path,
            read.get("encoding", Encoding.CONTENT).value,
            read.get("capabilities", ()),
            read.get("limits", DEFAULT_LIMITS),
            read.get("escalate_to"),
            read.get("weight", DEFAULT_WEIGHT),
            read.get("version", ""),
            system,
        )

    @contextmanager
    def noting(self, key: Key) -> Iterator[None]:
        """What the block raises is a mistake of this key."""
        try:
            yield
        except ValidationError as error:
            self.wrong(key, error.problem)
        except Unsupported as error:
            self.wrong(key, str(error))

    def wrong(self, key: Key, problem: str) -> None:
        """Enter a mistake at a key below the table."""
        whole = (*self._at, *key)
        self._mistakes.add(self._file, self._places.line(whole), dotted(whole), problem)

    def module(self, value: object) -> ReadModule:
        """Read `wasm`."""
        return self._modules.find(self._file.parent, value)

    def capabilities(self, value: object) -> tuple[str, ...]:
        """Read `capabilities`."""
        return self._texts("capabilities", value, MAX_CAPABILITIES, check_capability)

    def imports(self, value: object) -> tuple[str, ...]:
        """Read `imports`."""
        return self._texts("imports", value, MAX_IMPORTS, _check_import)

    def limits(self, value: object) -> Limits:
        """Read `limits`, each by itself."""
        if not isinstance(value, dict):
            raise ValidationError("limits", f"{shown(value)} is no table")
        fine: dict[str, int] = {}
        for name, number in value.items():
            with self.noting(("limits", name)):
                if name not in BOUNDS:
                    raise ValidationError(name, unknown(name, BOUNDS, "limit"))
                Limits(**{name: number})
                fine[name] = number
        return Limits(**fine)

    def _texts(self, key: str, value: object, most: int, check: Callable[[str], object]) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValidationError(key, f"{shown(value)} is not a list of texts")
        if len(value) > most:
            raise ValidationError(key, f"{len(value)} of them; at most {most}")
        fine: dict[str, None] = {}
        for number, text in enumerate(value):
            with self.noting((key, number)):
                check(text)
                if text in fine:
                    raise ValidationError(key, f"{shown(text)} is there twice")
                fine[text] = None
        return tuple(fine)

    def _check_together(self, read: dict[str, Any]) -> None:
        """Look at what two keys say together."""
        if "name" in read and read.get("escalate_to") == read["name"]:
            self.wrong(("escalate_to",), "an agent does not escalate to itself; name another one")
        if "imports" in read and "wasm" in read:
            with self.noting(("imports",)):
                check_imports(read["imports"], read["wasm"])


def dotted(key: Key) -> str:
    """Return a key as text: agent[2].limits.max_fuel."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _encoding(_: AgentTable, value: object) -> Encoding:
    if isinstance(value, str) and value not in {*_ENCODINGS, "json", "attached"}:
        raise ValidationError("encoding", f"{shown(value)}: {unknown(value, _ENCODINGS, 'encoding')}")
    return Encoding.parse(value)  # type: ignore[arg-type] # whatever is no name of one is refused


def _profile(_: AgentTable, value: object) -> str:
    if value == "strict":
        raise Unsupported("the profile strict", 'leave it out, or say profile = "default"')
    if value != PROFILE:
        raise ValidationError("profile", f"{shown(value)} is not {PROFILE}, the one profile that there is")
    return PROFILE


def _weight(_: AgentTable, value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_WEIGHT:
        raise ValidationError("weight", f"{shown(value)} is not a whole number from 1 to {MAX_WEIGHT}")
    return value


def _check_import(text: object) -> None:
    if text not in KNOWN_IMPORTS:
        said = unknown(text, KNOWN_IMPORTS, "import") if isinstance(text, str) else "it is no text"
        raise ValidationError("imports", f"{shown(text)}: {said}")


# In the order in which they are looked at.
KEYS: dict[str, Callable[[AgentTable, Any], object]] = {
    "name": lambda _, value: new_name("name", value),
    "version": lambda _, value: normal_label("version", value),
    "wasm": AgentTable.module,
    "encoding": _encoding,
    "capabilities": AgentTable.capabilities,
    "profile": _profile,
    "limits": AgentTable.limits,
    "imports": AgentTable.imports,
    "escalate_to": lambda _, value: normal_name("escalate_to", value),
    "weight": _weight,
}
