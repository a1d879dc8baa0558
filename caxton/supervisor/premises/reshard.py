"""Another number of shards for a data directory that nobody serves.

The new files are made in a directory of their own beside the old ones. One renaming of that directory makes them valid:
killed before it, all is as it was; killed after it, what is left to do is done by whoever comes next, and nobody serves
before. The old files are kept until somebody says that they may go.
"""

import asyncio
import os
import shutil
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import msgspec

from caxton.directories import sync_directory
from caxton.errors import ConfigurationError, StorageError
from caxton.placement.slot_table import MAX_WORKERS
from caxton.store.directory_lock import DirectoryLock
from caxton.store.file_errors import acting_on
from caxton.store.ledger import Figures
from caxton.store.reshard.copying import Copied, Progress, copy
from caxton.supervisor.premises.audit_row import note
from caxton.supervisor.premises.identity import FILE_NAME, Identity

MAKING, MADE, BEFORE = "reshard-new", "reshard-made", "before-reshard-"
_PLAN = "plan"


class Plan(msgspec.Struct, frozen=True):
    """What is under way: from so many shards to so many, and the version of the slot table before."""

    shards_before: int
    shards: int
    table_version: int


class Resharded(msgspec.Struct, frozen=True):
    """What came of it. kept: where the old files are. copied, durable: None where an earlier run had copied.

    earlier: copies of these, from before they were brought to this release's version of the schema.
    """

    shards_before: int
    shards: int
    kept: str
    copied: Copied | None = None
    durable: Figures | None = None
    earlier: tuple[str, ...] = ()


def check_not_under_way(data_dir: Path) -> None:
    """Raise ConfigurationError while new files are valid and not in their places yet."""
    if (data_dir / MADE).exists():
        plan = _read_plan(data_dir / MADE)
        raise ConfigurationError(
            str(data_dir),
            f"a change from {plan.shards_before} to {plan.shards} shards was ended in its midst",
            f"run `caxton reshard --workers {plan.shards}` to its end",
        )


def reshard(data_dir: Path, shards: int, tell: Progress) -> Resharded:
    """Give a data directory so many shards. Killed at any point it may be repeated.

    Raises ConfigurationError when somebody serves it, when it is none, and for a number that it has already or cannot
    have; StorageError for files that are not whole, StorageFull for want of room. The old files are as they were then.
    """
    if not 1 <= shards <= MAX_WORKERS:
        raise ConfigurationError("--workers", f"{shards} workers", f"choose from 1 to {MAX_WORKERS}")
    _check_is_one(data_dir)
    with closing(DirectoryLock(data_dir)):
        identity = Identity.open(data_dir, None, shards)
        made = data_dir / MADE
        if made.exists():
            plan = _read_plan(made)
            if plan.shards != shards:
                check_not_under_way(data_dir)
            return _put_in_place(data_dir, identity, plan, None, None)
        if identity.shards == shards:
            raise ConfigurationError("--workers", f"{data_dir} has {shards} shards already", "choose another number")
        plan = Plan(identity.shards, shards, identity.table_version)
        note(data_dir, "reshard", _told(plan), "begun")
        copied, books = _make(data_dir, plan, tell)
        return _put_in_place(data_dir, identity, plan, copied, books)


def forget(data_dir: Path) -> list[str]:
    """Remove old files that earlier changes have kept; returns where they were. Raises as `reshard`."""
    _check_is_one(data_dir)
    with closing(DirectoryLock(data_dir)):
        check_not_under_way(data_dir)
        gone = sorted(path for path in data_dir.glob(f"{BEFORE}*") if path.is_dir() and not path.is_symlink())
        for path in gone:
            acting_on(path, partial(shutil.rmtree, path))
    return [str(path) for path in gone]


def _check_is_one(data_dir: Path) -> None:
    if not (data_dir / FILE_NAME).exists():
        problem = "no data directory of a runtime: it has no identity"
        raise ConfigurationError(str(data_dir), problem, "name one with --data-dir or CAXTON_DATA_DIR")


def _make(data_dir: Path, plan: Plan, tell: Progress) -> tuple[Copied, Figures]:
    """Make the new files, and then make them valid."""
    making = data_dir / MAKING
    acting_on(making, lambda: _begin(making, plan))
    try:
        old = [data_dir / f"shard-{shard}.db" for shard in range(plan.shards_before)]
        found = asyncio.run(copy(old, making, plan.shards, tell))
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(making)
        raise
    acting_on(making, lambda: _end_making(data_dir))
    return found


def _begin(making: Path, plan: Plan) -> None:
    if making.exists():  # of a run that was ended in its midst
        shutil.rmtree(making)
    making.mkdir(mode=0o700)
    descriptor = os.open(making / _PLAN, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(plan))
        file.flush()
        os.fsync(descriptor)


def _end_making(data_dir: Path) -> None:
    sync_directory(data_dir / MAKING)
    (data_dir / MAKING).rename(data_dir / MADE)
    sync_directory(data_dir)


def _put_in_place(
    data_dir: Path, identity: Identity, plan: Plan, copied: Copied | None, books: Figures | None
) -> Resharded:
    """Move the old files away and the new ones to their places, from wherever an earlier run ended."""
    made, kept = data_dir / MADE, data_dir / f"{BEFORE}{plan.table_version}"
    acting_on(data_dir, lambda: _move(data_dir, made, kept, plan))
    identity.become(plan.shards, plan.table_version + 1)
    acting_on(made, lambda: _end(data_dir, made))
    with suppress(StorageError):  # it is done, and its beginning is told
        note(data_dir, "reshard", _told(plan), "done")
    earlier = tuple(sorted(str(path) for path in kept.glob("*.db.version-*")))
    return Resharded(plan.shards_before, plan.shards, str(kept), copied, books, earlier)


def _told(plan: Plan) -> str:
    return f"{plan.shards_before} to {plan.shards} shards"


def _move(data_dir: Path, made: Path, kept: Path, plan: Plan) -> None:
    new = {f"shard-{shard}.db" for shard in range(plan.shards)}
    if all((made / name).exists() for name in new):  # so whatever else has such a name is an old one
        kept.mkdir(mode=0o700, exist_ok=True)
        for path in sorted(data_dir.glob("shard-*")):
            path.rename(kept / path.name)
        sync_directory(kept)
        sync_directory(data_dir)
    # The first that leaves is one that is missed above: from then on nothing old is there.
    for path in sorted(made.glob("shard-*"), key=lambda path: path.suffix != ".db"):
        path.rename(data_dir / path.name)
    sync_directory(data_dir)


def _end(data_dir: Path, made: Path) -> None:
    making = data_dir / MAKING
    made.rename(making)  # at once, plan and all: what is left of it means nothing
    sync_directory(data_dir)
    shutil.rmtree(making)


def _read_plan(made: Path) -> Plan:
    try:
        return msgspec.json.decode((made / _PLAN).read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError) as error:
        raise StorageError(str(made / _PLAN), f"cannot be read: {error}") from None
