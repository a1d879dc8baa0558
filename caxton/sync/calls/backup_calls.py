"""`caxton.client.calls.backup_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from pathlib import Path

from caxton.client.calls.backup_calls import Progress
from caxton.store.backup.manifest import Backup
from caxton.sync.calls.runtime_calls import RuntimeCalls


class BackupCalls(RuntimeCalls):
    """`backup`."""

    def backup(self, directory: Path | str, *, progress: Progress | None = None) -> Backup:
        """Copy everything that the runtime keeps into a new or empty directory, while it goes on; returns what it has.

        All of it is of one moment, at which every shard stands still for some milliseconds, and two seconds at most:
        what was acknowledged before this call is in it, and a runtime that is served from it (`caxton restore`) goes on
        as after a power cut at that moment. The directory is on this machine, and holds the keys of the runtime. It has
        a manifest, written last, only when it is whole; of a backup that fails nothing is left.

        progress: called with the bytes copied so far, and of how many. Raises ConfigurationError for a directory that
        is not empty, not ours, open to others or a link; StorageFull when there is no room, StorageError;
        ShardUnavailable while a shard does not serve, NetworkError when one ends meanwhile, ResourceExhausted while
        another backup is being taken, Timeout when shards do not stand still at one moment, or a copy does not go on.
        """
        return self._run(self._client.backup(directory, progress=progress))
