"""What docs/limits.toml says of each limit: the constant or the line that holds it, and the test at its edge."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caxton.errors import ConfigurationError

# Never reached, and still a number that a bound of msgspec, a deque or a slice can be; so is a thousand times as much.
NEVER = 1 << 52
_ACCOUNT = Path("docs") / "limits.toml"


@dataclass(frozen=True)
class Constant:
    """A number with a name. key: of a table of pairs, the one that is meant. never: what is put in its place."""

    module: str
    name: str
    key: str
    never: int

    def __str__(self) -> str:
        return ".".join(word for word in (self.module, self.name, self.key) if word)


@dataclass(frozen=True)
class Line:
    """Code that holds a limit without a constant of its own: `old` stands once in the file, and `new` holds nothing."""

    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}: {self.old}"


@dataclass(frozen=True)
class Limit:
    """One limit, how it is turned off, and the test that must fail then, as `path::name`."""

    off: Constant | Line
    test: str


def limits(root: Path) -> list[Limit]:
    """Return every limit of the account, in its order; each once. Raises ConfigurationError for an odd entry."""
    said = tomllib.loads((root / _ACCOUNT).read_text(encoding="utf-8"))
    found: dict[str, Limit] = {}
    for entry in said["kept"]:
        for limit in _of(entry, said.get("never", {})):
            found.setdefault(f"{limit.off} {limit.test}", limit)
    return list(found.values())


def constants(some: list[Limit]) -> frozenset[tuple[str, str]]:
    """Return module and name of all constants among these limits."""
    return frozenset((limit.off.module, limit.off.name) for limit in some if isinstance(limit.off, Constant))


def _of(entry: dict[str, Any], never: dict[str, int]) -> Iterator[Limit]:
    offs: list[Constant | Line] = [_constant(bound.partition(" ")[0], never) for bound in entry["bounds"]]
    offs += [Line(one["file"], one["old"], one["new"]) for one in entry.get("off", ())]
    tests = entry["test"] if isinstance(entry["test"], list) else [entry["test"]] * len(offs)
    if len(tests) != len(offs):
        problem = f"{len(tests)} tests for {len(offs)} limits of {entry['what']!r}"
        raise ConfigurationError(str(_ACCOUNT), problem, "name one test, or one for each of bounds and of off")
    yield from map(Limit, offs, tests)


def _constant(said: str, never: dict[str, int]) -> Constant:
    module, _, name = said.rpartition(".")
    key = ""
    if name.islower():
        (module, _, name), key = module.rpartition("."), name
    return Constant(module, name, key, never.get(said, NEVER))
