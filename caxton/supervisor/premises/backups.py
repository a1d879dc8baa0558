"""A backup is looked through, and becomes the data directory of a runtime that nobody serves yet."""

from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import msgspec

from caxton.directories import (
    make_directory,
    missing_directories,
    own_directory,
    remove_directories,
    sync_directory,
)
from caxton.errors import ConfigurationError
from caxton.forms.moments import moment
from caxton.store.backup.contents import ShardContents, look_through
from caxton.store.backup.manifest import (
    AUDIT,
    IDENTITY,
    MANIFEST,
    MODULES,
    Backup,
    BackupFile,
    Tell,
    copy_file,
    damaged,
    look_at_file,
    module_name,
    read_manifest,
    shard_name,
)
from caxton.store.backup.room import check_room
from caxton.store.commit_mark import CommitMark, Marked, mark_path
from caxton.store.directory_lock import DirectoryLock
from caxton.store.file_errors import acting_on
from caxton.store.ledger import Figures, check
from caxton.store.schema.migrations import SCHEMA_VERSION
from caxton.store.supervisor_audit import look_at_audit
from caxton.supervisor.premises.audit_row import note
from caxton.supervisor.premises.identity import Identity

# Incarnations that the runtime may have given since it was backed up: nothing of theirs is taken for one of the new.
_INCARNATIONS_PASSED_OVER = 1 << 20
_LOCK = "lock"


class Restored(msgspec.Struct, frozen=True):
    """What a data directory was made from, and its ledger."""

    data_dir: str
    backup: Backup
    durable: Figures


def verify(directory: Path, tell: Tell) -> tuple[Backup, Figures]:
    """Look through a backup: every file is what its manifest says, every row what was written, and the books balance.

    Nothing is written. Returns the manifest and the ledger. Raises ConfigurationError for what is no whole backup, or
    of another release; StorageDamaged for one that is not what was written, StorageError when it cannot be read.
    """
    backup = read_manifest(directory)
    _check_schema(directory, backup)
    for file in backup.files:
        path = directory / file.name
        _check_file(path, file, acting_on(path, partial(look_at_file, path, file.size, tell)))
    return backup, _look_through(directory, directory / IDENTITY, backup)[0]


def restore(directory: Path, data_dir: Path, tell: Tell) -> Restored:
    """Make a new or an empty directory the data directory of a runtime that goes on from a backup.

    Everything is compared with the manifest as it is copied, then looked through as `verify` does, and only then it is
    given its identity, without which nobody serves it. Of what fails nothing is left. Raises as `verify` does, and
    ConfigurationError for a directory that is not empty, not ours, or in use; StorageFull when there is no room.
    """
    backup = read_manifest(directory)
    _check_schema(directory, backup)
    made = acting_on(data_dir, partial(_begin, data_dir, backup))
    with closing(acting_on(data_dir, partial(DirectoryLock, data_dir))):
        strangers = acting_on(data_dir, lambda: sorted(path.name for path in data_dir.iterdir() if path.name != _LOCK))
        if strangers:
            raise ConfigurationError(
                str(data_dir), f"it is not empty ({strangers[0]!r:.100})", "choose an empty or a new --data-dir"
            )
        try:
            found = _restore(directory, data_dir, backup, tell)
        except BaseException:
            with suppress(OSError):  # what is left has no identity, and is refused by name
                _remove(data_dir, backup, made)
            raise
    return Restored(str(data_dir), backup, found)


def _begin(data_dir: Path, backup: Backup) -> list[Path]:
    """Look whether there is room, and make the directory; returns what was not there."""
    made = missing_directories(data_dir)
    check_room(data_dir, backup.size, "what is restored")
    own_directory(data_dir)
    return made


def _restore(directory: Path, data_dir: Path, backup: Backup, tell: Tell) -> Figures:
    acting_on(data_dir, partial(make_directory, data_dir / MODULES))
    waits = data_dir / f"{IDENTITY}.new"
    for file in backup.files:
        source = directory / file.name
        target = waits if file.name == IDENTITY else data_dir / file.name
        _check_file(source, file, acting_on(target, partial(copy_file, source, target, file.size, tell)))
    figures, contents = _look_through(data_dir, waits, backup)
    for shard, content in enumerate(contents):  # from now on nothing of it goes unnoticed
        marked = Marked(content.meta.file_id, content.meta.commits)
        CommitMark.open(mark_path(data_dir / shard_name(shard)), marked).close()
    note(data_dir, "restore", str(directory), f"of {moment(backup.taken_at)}")
    for made in (data_dir / MODULES, data_dir):
        acting_on(made, partial(sync_directory, made))
    Identity.adopt(waits, data_dir, _INCARNATIONS_PASSED_OVER)
    return figures


def _look_through(directory: Path, identity: Path, backup: Backup) -> tuple[Figures, list[ShardContents]]:
    """Return the ledger of all shards, and what is in each. Raises StorageDamaged."""
    shards = Identity.read(identity).shards
    if shards != backup.shards:
        raise damaged(identity, f"of {shards} shards, and its manifest says {backup.shards}")
    contents = [look_through(directory / shard_name(shard), shard) for shard in range(backup.shards)]
    names = {file.name for file in backup.files}
    if AUDIT in names:
        look_at_audit(directory / AUDIT)
    missing = [module_name(one) for content in contents for one in content.modules if module_name(one) not in names]
    if missing:
        raise damaged(directory / MANIFEST, f"it does not name {missing[0]}, which an agent is made from")
    figures = check([content.ledger for content in contents]).whole
    if not figures.balanced:
        raise damaged(directory, f"its books do not balance: {'; '.join(figures.problems)}")
    return figures, contents


def _check_schema(directory: Path, backup: Backup) -> None:
    if backup.schema != SCHEMA_VERSION:
        raise ConfigurationError(
            str(directory),
            f"shards of version {backup.schema} of the schema, and this release has {SCHEMA_VERSION}",
            f"use Caxton {backup.caxton}, which took it; a later release serves what that one restored",
        )


def _check_file(path: Path, told: BackupFile, found: tuple[int, str]) -> None:
    size, sha256 = found
    if size > told.size:  # and who knows how many: no more is read
        raise damaged(path, f"longer than the {told.size} bytes that its manifest says")
    if size < told.size:
        raise damaged(path, f"{size} bytes, and its manifest says {told.size}")
    if sha256 != told.sha256:
        raise damaged(path, "its sha256 is not the one that its manifest has")


def _remove(data_dir: Path, backup: Backup, made: list[Path]) -> None:
    for file in backup.files:
        (data_dir / file.name).unlink(missing_ok=True)
    for path in (*data_dir.glob("shard-*.mark"), *data_dir.glob(f"{AUDIT}*"), data_dir / f"{IDENTITY}.new"):
        path.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        (data_dir / MODULES).rmdir()
    if made:
        (data_dir / _LOCK).unlink(missing_ok=True)
        remove_directories(made)
