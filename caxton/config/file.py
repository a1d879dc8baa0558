"""A configuration file: opened with suspicion, read with lines, checked as a whole. All mistakes are found at once."""

import errno
import os
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from caxton.config.keys import BY_OPTION, BY_PATH, KEYS, REFUSED, SECTIONS, Key, Kind, MisfitError
from caxton.config.yaml_lines import MOST_MISTAKES, Document, Mistake, Scalar
from caxton.errors import ConfigurationError
from caxton.printable import shown

# A file that sets everything, with a comment for each key, has 4 KiB.
MAX_FILE_BYTES = 64 << 10
_OTHERS_WRITE = 0o022


@dataclass(frozen=True)
class ConfigFile:
    """What a file says. values: by parameter of `caxton serve`. lines: by the same, where it stands.

    mistakes: in order, at most 50 of them; more: how many there are besides.
    """

    path: Path
    values: dict[str, Any]
    lines: dict[str, int]
    mistakes: list[Mistake]
    more: int = 0

    def check(self) -> None:
        """Raise ConfigurationError for the first mistake, which tells of the others."""
        if not self.mistakes:
            return
        first, others = self.mistakes[0], len(self.mistakes) + self.more - 1
        remedy = first.remedy
        if others:
            also = "one more mistake" if others == 1 else f"{others} more mistakes"
            remedy += f"; {also}: see `caxton config validate {self.path}`"
        about = f"{self.path}:{first.line}" + (f": {first.key}" if first.key else "")
        raise ConfigurationError(about, first.problem, remedy)


def read_config(path: Path) -> ConfigFile:
    """Read a file. Raises ConfigurationError where nothing can be read of it; mistakes in it are found, not raised."""
    document = Document(_text(path))
    mistakes, values, lines = [*document.mistakes], {}, {}
    told = {(mistake.line, mistake.key) for mistake in mistakes}
    unknown = [scalar for scalar in document.scalars if scalar.path not in BY_PATH]
    # The first alone can be among those that are told; what may be meant takes a while to find.
    mistakes += map(_unknown, unknown[:MOST_MISTAKES])
    for scalar in document.scalars:
        key = BY_PATH.get(scalar.path)
        if key is not None and (scalar.line, scalar.path) not in told:
            try:
                values[key.option] = _value(key, scalar, path)
                lines[key.option] = scalar.line
            except MisfitError as error:
                mistakes.append(Mistake(scalar.line, scalar.path, error.problem, error.remedy))
    mistakes += _of_several(values, lines)
    mistakes.sort(key=lambda mistake: mistake.line)
    more = max(0, len(mistakes) - MOST_MISTAKES) + max(0, len(unknown) - MOST_MISTAKES)
    return ConfigFile(path, values, lines, mistakes[:MOST_MISTAKES], more)


def _value(key: Key, scalar: Scalar, path: Path) -> Any:
    if not scalar.quoted and scalar.text in {"", "~", "null"}:
        raise MisfitError("it has no value", "leave the key out, or give it one")
    value = key.read(scalar.text, quoted=scalar.quoted)
    return str(path.absolute().parent / value) if key.kind in {Kind.PATH, Kind.FILE} else value


def _of_several(values: dict[str, Any], lines: dict[str, int]) -> list[Mistake]:
    """Return what is wrong only with values beside each other."""
    one, most = "receiver_on_disk_mib", "effects_on_disk_mib"
    every = values.get(most, BY_OPTION[most].default)
    if one not in values or values[one] <= every:
        return []
    problem = f"{values[one]} is out of bounds"
    return [Mistake(lines[one], f"router.{one}", problem, f"choose from 1 to {every}, which is router.{most}")]


def _unknown(scalar: Scalar) -> Mistake:
    """Return the mistake of a key that there is not, with the one that may be meant."""
    if scalar.path in REFUSED:
        return Mistake(scalar.line, scalar.path, *REFUSED[scalar.path])
    section, _, name = scalar.path.rpartition(".")
    here = {key.name: key.path for key in KEYS if key.section == section}
    anywhere = {key.name: key.path for key in KEYS} | {key.option: key.path for key in KEYS}
    sections = {} if section else {name: name for name in SECTIONS}
    known = (sections, here, anywhere)
    near = next((names[found[0]] for names in known if (found := get_close_matches(name, names, 1))), None)
    remedy = f"did you mean {near}?" if near else "docs/configuration.md has all there are"
    return Mistake(scalar.line, scalar.path[:100], "there is no such key", remedy)


def _text(path: Path) -> str:
    """Return what a file holds that nobody but its owner, us or root, may have written. Raises ConfigurationError."""
    try:
        # A mounted file of Kubernetes is a link, so links are followed; O_NONBLOCK lets nobody wait for a FIFO.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        nothing = isinstance(error, OSError) and error.errno == errno.ENOENT
        remedy = "name the file with --config or CAXTON_CONFIG_PATH" if nothing else "name a file that you may read"
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigurationError(str(path), problem, remedy) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(str(path), "it is no file", "name a file of YAML")
        if found.st_uid not in {0, os.geteuid()}:
            problem = f"user {found.st_uid} owns it and could change how this runtime serves"
            raise ConfigurationError(str(path), problem, "take a copy of your own")
        if found.st_mode & _OTHERS_WRITE:
            mode = stat.S_IMODE(found.st_mode)
            raise ConfigurationError(str(path), f"others may write it (mode {mode:o})", f"run chmod go-w {path}")
        raw = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigurationError(str(path), f"it has more than {MAX_FILE_BYTES:,} bytes", "name a file of settings")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"byte {shown(raw[error.start : error.start + 1])} is no UTF-8"
        raise ConfigurationError(f"{path}:{line}", problem, "save it as UTF-8") from None
