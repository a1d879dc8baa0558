"""The modules that manifests name: files below one folder, whatever a path says, each read once."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from caxton.agents.module_imports import imports_of
from caxton.errors import ValidationError
from caxton.printable import shown
from caxton.store.module_file import read_module


@dataclass(frozen=True)
class ReadModule:
    """A module that is there. path: its real one. imports: what it imports, as `module.name`."""

    path: Path
    imports: tuple[str, ...]


class Modules:
    """Finds modules below `root`. The bytes are not kept: only what they import."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        # A module or why it is none, by its path.
        self._read: dict[Path, ReadModule | ValidationError] = {}

    def find(self, folder: Path, text: object) -> ReadModule:
        """Return the module that a manifest in `folder` names. Raises ValidationError, also for one beyond the root."""
        if not isinstance(text, str) or not text or "\0" in text:
            raise ValidationError("wasm", f"{shown(text)} is no path")
        try:
            path = Path(os.path.realpath(folder / text))
        except (OSError, ValueError) as error:
            raise ValidationError("wasm", f"{shown(text)}: {getattr(error, 'strerror', error)}") from None
        if not path.is_relative_to(self._root):
            raise ValidationError(
                "wasm", f"{shown(text)} is not below {self._root}; name a folder that both are in with --root"
            )
        found = self._read.get(path)
        if found is None:
            found = self._read[path] = _look(path, text)
        if isinstance(found, ValidationError):
            raise found
        return found


def check_imports(wanted: Iterable[str], module: ReadModule) -> None:
    """Raise ValidationError when a module imports what its manifest does not want."""
    allowed = {*wanted}
    if others := [name for name in module.imports if name not in allowed]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ValidationError("imports", f"the module imports {shown(others[0])}{more}, which is not among them")


def _look(path: Path, text: str) -> ReadModule | ValidationError:
    try:
        return ReadModule(path, imports_of(read_module(path)))
    except ValidationError as error:
        return ValidationError("wasm", f"{shown(text)}: {error.problem}")
