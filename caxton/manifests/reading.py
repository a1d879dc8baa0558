"""Manifests from files: one agent, a folder of them, or a system of agents. docs/manifests.md says what stands in them.

A file is hostile until it is read: how large, how deep and how many it may be is bounded, and it is told what is wrong
with it all at once.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from caxton.agents.deployment import Deployment
from caxton.agents.names import normal_label
from caxton.errors import ConfigurationError, ValidationError
from caxton.manifests.fields import KEYS, AgentTable, dotted
from caxton.manifests.mistakes import Mistakes, unknown
from caxton.manifests.modules import Modules
from caxton.manifests.places import Key, Unreadable, places_of
from caxton.printable import shown
from caxton.store.regular_file import NotRegularFileError, opened

MAX_FILE = 4 << 20
# Files of a folder, and agents in all.
MAX_FILES = 10_000
MAX_AGENTS = 10_000
SUFFIX = ".toml"
_SYSTEM_KEYS = ("system", "agent")
_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True)
class System:
    """Agents that belong together. name: "" for none; what `apply` may prune are agents of this name."""

    name: str
    agents: tuple[Deployment, ...]


@dataclass(frozen=True)
class Reading:
    """What was read. files: how many. Only what has no mistakes is among the agents."""

    files: int
    system: str
    agents: tuple[Deployment, ...]
    mistakes: Mistakes
    # Where each agent stands, by its name.
    places: dict[str, "Place"]


class Place(NamedTuple):
    """Where an agent stands: the lines of its name and of its module."""

    file: Path
    line: int
    module_line: int


def read_manifest(path: Path | str, *, root: Path | str | None = None) -> Deployment:
    """Return the agent that a manifest describes: a TOML file, as docs/manifests.md says.

    root: the folder below which its module has to be; the manifest's own if it is not said. Raises InvalidManifest,
    which names all mistakes with their lines.
    """
    file = _as_path(path, "path")
    reading = examine([file], None if root is None else _as_path(root, "root"), folders=False)
    if not reading.mistakes and len(reading.agents) != 1:
        reading.mistakes.add(file, 0, "", f"it describes {len(reading.agents)} agents where one is wanted")
    reading.mistakes.check(file)
    return reading.agents[0]


def read_system(path: Path | str, *, root: Path | str | None = None) -> System:
    """Return the system of agents that a TOML file describes; of one agent's manifest, a system without a name.

    root and errors as of `read_manifest`.
    """
    file = _as_path(path, "path")
    reading = examine([file], None if root is None else _as_path(root, "root"), folders=False)
    reading.mistakes.check(file)
    return System(reading.system, reading.agents)


def examine(paths: Iterable[Path], root: Path | str | None = None, *, folders: bool = True) -> Reading:
    """Read manifests, each a file or (folders) a folder of them, and what is wrong with them. Raises nothing."""
    mistakes, files, system = Mistakes(), 0, ""
    agents: dict[str, Deployment] = {}
    places: dict[str, Place] = {}
    for file, modules in _files_of(paths, root, mistakes, folders=folders):
        files += 1
        one = _File(file, modules, mistakes)
        system = one.system or system
        for deployment, place in one.agents:
            if (before := places.get(deployment.name)) is not None:
                problem = f"{shown(deployment.name)} is the name of the one at {before.file}:{before.line}"
                mistakes.add(file, place.line, "name", problem)
            else:
                agents[deployment.name], places[deployment.name] = deployment, place
        if len(agents) > MAX_AGENTS:
            mistakes.add(file, 0, "", f"there are more than {MAX_AGENTS:,} agents")
            break
    return Reading(files, system, tuple(agents.values()), mistakes, places)


def _files_of(
    paths: Iterable[Path], root: Path | str | None, mistakes: Mistakes, *, folders: bool
) -> Iterator[tuple[Path, Modules]]:
    """Each manifest, with the modules that it may name."""
    for path in paths:
        try:
            modules = Modules(Path(root) if root is not None else path if os.path.isdir(path) else path.parent)  # noqa: PTH112
        except ValueError as error:  # a path with a NUL in it names nothing
            mistakes.add(path, 0, "", f"root {shown(str(root))}: {error}" if root is not None else str(error))
            continue
        for file in _files(path, mistakes) if folders else [path]:
            yield file, modules


class _File:
    """One manifest file: the agents in it that are as they should be, each with its line."""

    def __init__(self, file: Path, modules: Modules, mistakes: Mistakes) -> None:
        self.agents: list[tuple[Deployment, Place]] = []
        self.system = ""
        self._file = file
        self._mistakes = mistakes
        try:
            text = _text(file)
            places = places_of(text)
            tables = _parsed(text)
        except Unreadable as error:
            mistakes.add(file, error.line, "", error.problem)
            return
        self._places = places
        table = AgentTable(file, places, modules, mistakes)
        if tables.keys() & {*_SYSTEM_KEYS}:
            self._read_system(tables, table)
        else:
            self._keep((), table.read((), tables))

    def _read_system(self, tables: dict[str, Any], table: AgentTable) -> None:
        for key in tables:
            if key in KEYS:
                self._wrong((key,), "a system's agents have their keys below [[agent]]")
            elif key not in _SYSTEM_KEYS:
                self._wrong((key,), unknown(key, _SYSTEM_KEYS, "key"))
        try:
            self.system = normal_label("system", tables.get("system", ""))
        except ValidationError as error:
            self._wrong(("system",), error.problem)
        agents = tables.get("agent", [])
        if not isinstance(agents, list) or not all(isinstance(one, dict) for one in agents):
            self._wrong(("agent",), "it is no list of tables; write [[agent]] above each")
            return
        if len(agents) > MAX_AGENTS:
            self._wrong(("agent",), f"{len(agents):,} agents; at most {MAX_AGENTS:,}")
            return
        if not agents:
            self._wrong((), "there is no [[agent]]")
        for number, one in enumerate(agents):
            at: Key = ("agent", number)
            self._keep(at, table.read(at, one, self.system))

    def _keep(self, at: Key, deployment: Deployment | None) -> None:
        if deployment is not None:
            name, module = (self._places.line((*at, key)) for key in ("name", "wasm"))
            self.agents.append((deployment, Place(self._file, name, module)))

    def _wrong(self, key: Key, problem: str) -> None:
        self._mistakes.add(self._file, self._places.line(key), dotted(key), problem)


def _files(path: Path, mistakes: Mistakes) -> list[Path]:
    """Return a file, or those of a folder in the order of their names."""
    if not os.path.isdir(path):  # noqa: PTH112 (a path that is too long is none)
        return [path]
    found: list[Path] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    found.append(path / entry.name)
                if len(found) > MAX_FILES:
                    mistakes.add(path, 0, "", f"there are more than {MAX_FILES:,} manifests in this folder")
                    return []
    except OSError as error:
        mistakes.add(path, 0, "", str(error.strerror))
        return []
    if not found:
        mistakes.add(path, 0, "", f"there is no manifest in this folder: no file whose name ends with {SUFFIX}")
    return sorted(found)


def _text(file: Path) -> str:
    """Return what stands in a file. Raises Unreadable."""
    try:
        # Who names a link means what it leads to.
        with opened(Path(os.path.realpath(file))) as descriptor, os.fdopen(os.dup(descriptor), "rb") as stream:
            raw = stream.read(MAX_FILE + 1)
    except NotRegularFileError:
        raise Unreadable(0, "it is not a regular file") from None
    except (OSError, ValueError) as error:  # a path with a NUL in it names nothing
        raise Unreadable(0, str(getattr(error, "strerror", error))) from None
    if len(raw) > MAX_FILE:
        raise Unreadable(0, f"it is longer than {MAX_FILE:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(raw.count(b"\n", 0, error.start) + 1, "it is not UTF-8") from None


def _parsed(text: str) -> dict[str, Any]:
    """Return the tables of a text that was scanned. Raises Unreadable."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = str(error)
        found = _AT.search(told)
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        problem = _AT.sub("", told)
        raise Unreadable(line, f"no TOML: {problem[:1].lower()}{problem[1:]}") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise Unreadable(0, f"no TOML: {error}") from None
    except RecursionError:
        raise Unreadable(0, "values lie too deep in each other") from None


def _as_path(path: object, name: str) -> Path:
    try:
        return Path(path)  # type: ignore[arg-type] # whatever is none is refused
    except TypeError:
        raise ConfigurationError(name, f"{shown(path)} is not a path", "give a Path or its text") from None
