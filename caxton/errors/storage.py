"""Files of a shard."""

from dataclasses import dataclass

from caxton.errors.root import CaxtonError


@dataclass(eq=False)
class StorageError(CaxtonError):
    """A shard's file could not be read or written."""

    path: str
    problem: str
    says = "{path}: {problem}"


@dataclass(eq=False)
class StorageFull(StorageError):
    """There is no room on the disk for a transaction; nothing of it was written, and it may be tried again."""

    hint = "make room on its disk: what waits goes on by itself"


@dataclass(eq=False)
class StorageDamaged(StorageError):
    """What stands in a shard's file is not what was written to it, or what was written is gone."""

    hint = (
        "stop the runtime and `caxton restore` a backup into a new directory, or move this file and those beside it "
        "(-wal, .mark) away: then `caxton serve` begins that shard anew, without its agents and messages"
    )
