"""What a power cut would leave: of each file a copy that holds what was synced, and nothing that was only written.

A write waits in memory until the file's next fdatasync has returned; then it is applied to the copy. A process that
is killed takes what waited with it, as a power cut does with the page cache. A directory entry counts as durable from
the first sync of its file on, as ext4 and xfs have it; a file that is deleted is gone from the copy at once.
"""

import os
import shutil
import threading
from pathlib import Path

from faultlab.checker import Sync

_LOG = "syncs"


class ShadowFile:
    """The copy of one file."""

    def __init__(self, path: Path, copy: Path) -> None:
        self._path = path
        self._copy = copy
        self._waiting: list[tuple[int, bytes | None]] = []
        # A predecessor that was killed left writes in the page cache, and our first sync writes them too.
        self._whole = copy.exists()
        if not self._whole and path.exists() and path.stat().st_size:
            shutil.copyfile(path, copy)  # the laboratory begins: what is there is taken as durable

    def write(self, offset: int, content: bytes) -> None:
        """Note a write."""
        self._waiting.append((offset, content))

    def truncate(self, size: int) -> None:
        """Note a truncation."""
        self._waiting.append((size, None))

    def synced(self) -> None:
        """Apply what was written before the sync that has just returned."""
        waiting, self._waiting = self._waiting, []
        if self._whole:
            self._whole = False
            new = self._copy.with_name(self._copy.name + ".new")
            shutil.copyfile(self._path, new)
            new.rename(self._copy)
            return
        file = os.open(self._copy, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            for offset, content in waiting:
                if content is None:
                    os.ftruncate(file, offset)
                else:
                    os.pwrite(file, content, offset)
        finally:
            os.close(file)


class Shadow:
    """All copies of one data directory, and the log of syncs. `cut` once nobody writes any more."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)
        self._log = os.open(directory / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def file(self, path: Path) -> ShadowFile:
        """Return the shadow of a file that was opened."""
        return ShadowFile(path, self._directory / path.name)

    def deleted(self, path: Path) -> None:
        """Forget a file that was deleted."""
        (self._directory / path.name).unlink(missing_ok=True)

    def log(self, name: str, began_ns: int, ended_ns: int) -> None:
        """Note one sync."""
        with self._lock:
            os.write(self._log, f"{name} {began_ns} {ended_ns}\n".encode())

    def syncs(self) -> list[Sync]:
        """Return the syncs of all WALs."""
        found = []
        for line in (self._directory / _LOG).read_text().splitlines():
            name, began_ns, ended_ns = line.split()
            if name.endswith("-wal"):
                shard = int(name.removeprefix("shard-").partition(".")[0])
                found.append(Sync(shard, int(began_ns), int(ended_ns)))
        return found

    def cut(self, data_dir: Path) -> None:
        """Let the shards' files be as the power cut leaves them; the shadow begins anew from there."""
        for path in data_dir.glob("shard-*.db*"):
            path.unlink()
        for copy in self._directory.glob("shard-*.db*"):
            if copy.suffix == ".new":
                copy.unlink()
            else:
                copy.rename(data_dir / copy.name)

    def close(self) -> None:
        """Close the log."""
        os.close(self._log)
