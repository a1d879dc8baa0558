"""What a backup is: a directory with copies of the shards, the audit, the identity and the modules, and a manifest.

The manifest names every file with its size and sha256, and is written last: a directory without one is no backup.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from caxton.directories import sync_directory
from caxton.errors import ConfigurationError, StorageDamaged
from caxton.placement.slot_table import MAX_WORKERS
from caxton.store.file_errors import refused
from caxton.store.regular_file import opened

MANIFEST, IDENTITY, MODULES, AUDIT = "manifest.json", "identity", "modules", "audit.db"
# Those of format 1 have no audit of the supervisor.
FORMAT = 2
# A manifest has a hundred and fifty bytes for each module, and an agent may have one of its own.
MAX_MANIFEST_BYTES = 256 << 20
_PIECE = 1 << 20
_MODULE = re.compile(r"modules/[0-9a-f]{64}\.wasm")
# Told now and then: bytes more that were seen to.
Tell = Callable[[int], None]


class BackupFile(msgspec.Struct, frozen=True):
    """A file of a backup. name: below its directory. size: in bytes. sha256: of its content, in hex."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Backup(msgspec.Struct, frozen=True):
    """What was backed up. format: of the backup. caxton: the release that took it. schema: of the shards' files.

    taken_at: the moment that all shards are of, in ms since 1970. held_ms: for how long they stood still at most.
    """

    format: int
    caxton: str
    schema: int
    taken_at: int
    held_ms: int
    shards: Annotated[int, msgspec.Meta(ge=1, le=MAX_WORKERS)]
    files: list[BackupFile]

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(file.size for file in self.files)


def shard_name(shard: int) -> str:
    """Return what the copy of a shard's file is called."""
    return f"shard-{shard}.db"


def module_name(sha256: bytes) -> str:
    """Return what the source of a module is called."""
    return f"{MODULES}/{sha256.hex()}.wasm"


def begin_manifest(directory: Path) -> Path:
    """Let a directory be one backup's, until its manifest is written; returns the file that says so.

    Raises FileExistsError when it is another's, and OSError.
    """
    path = directory / f"{MANIFEST}.new"
    new_file(path).close()
    return path


def write_manifest(directory: Path, backup: Backup) -> None:
    """Say that the backup is whole. Everything else is on the disk by then. Raises OSError."""
    new = directory / f"{MANIFEST}.new"
    with _written(new, os.O_TRUNC) as file:
        file.write(msgspec.json.format(msgspec.json.encode(backup), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.rename(directory / MANIFEST)
    sync_directory(directory)


def read_manifest(directory: Path) -> Backup:
    """Return what a directory says that it has; no other file is looked at.

    Raises ConfigurationError for one that is no backup, or of a later release; StorageError for one that cannot be
    read, StorageDamaged for one that says what cannot be.
    """
    path = directory / MANIFEST
    try:
        with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(
            str(directory),
            f"no backup, or one that was not taken to its end: it has no {MANIFEST}",
            "name the directory of a whole one; `caxton backup DIR` takes another",
        ) from None
    except (OSError, ValueError) as error:  # a path with a NUL in it names nothing
        raise refused(path, error) from None
    if len(raw) > MAX_MANIFEST_BYTES:
        raise damaged(path, f"larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        version = msgspec.json.decode(raw, type=_Version).format
        if version > FORMAT:
            raise ConfigurationError(
                str(path), f"format {version}, and this release reads up to {FORMAT}", "use the release that took it"
            )
        backup = msgspec.json.decode(raw, type=Backup)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None
    _check_names(path, backup)
    return backup


def copy_file(source: Path, target: Path, most: int, tell: Tell) -> tuple[int, str]:
    """Copy a regular file to where nothing is, for its user alone; returns the size and sha256 of what was copied.

    most: bytes that it may have; of a longer one, one byte more is copied, which tells that it is longer. The copy is
    on the disk when this returns, its name is not. Raises OSError.
    """
    with new_file(target) as out:
        found = _read(source, most, out.write, tell)
        out.flush()
        os.fsync(out.fileno())
    return found


def look_at_file(path: Path, most: int, tell: Tell) -> tuple[int, str]:
    """Return the size and the sha256 of a regular file; most: as of `copy_file`. Raises OSError."""
    return _read(path, most, lambda _piece: None, tell)


def new_file(path: Path) -> BinaryIO:
    """Open a file that is not there yet, for its user alone, to be written. Raises OSError."""
    return _written(path, os.O_EXCL)


def _written(path: Path, how: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | how, 0o600), "wb")


def _read(path: Path, most: int, take: Callable[[bytes], object], tell: Tell) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        while piece := file.read(min(_PIECE, most + 1 - size)):
            digest.update(piece)
            size += len(piece)
            take(piece)
            tell(len(piece))
    return size, digest.hexdigest()


class _Version(msgspec.Struct):
    format: int


def _check_names(path: Path, backup: Backup) -> None:
    """Raise StorageDamaged unless the files are those that a backup of so many shards has, each once."""
    wanted = {IDENTITY, *(shard_name(shard) for shard in range(backup.shards))}
    names: set[str] = set()
    for name in (file.name for file in backup.files):
        if name in names or (name not in {*wanted, AUDIT} and not _MODULE.fullmatch(name)):
            problem = f"it names {name!r:.100}, which no backup of {backup.shards} shards has, or has once"
            raise damaged(path, problem)
        names.add(name)
    for file in backup.files:  # the names of modules are what they have to be
        if file.name.startswith(f"{MODULES}/") and file.name != f"{MODULES}/{file.sha256}.wasm":
            raise damaged(path, f"it has another sha256 for {file.name}")
    if missing := wanted - names:
        raise damaged(path, f"it does not name {min(missing)}")


def damaged(path: Path, problem: str) -> StorageDamaged:
    """Return the error for a file of a backup that is not what was written to it."""
    error = StorageDamaged(str(path), problem)
    return error.suggesting("use another backup, or this one without its damage from wherever else it is kept")
