"""Orders to the workers of a laboratory: small files in one directory, obeyed at the moment that they name.

`shard-0.kill-after-sync` with the text `3`: end the process by SIGKILL when the third fdatasync from now has ended.
`shard-0.kill-before-sync`: the same, when it is about to begin. `shard-0.full`: while it is there, the disk is full.
`no-sync`: while it is there, no worker's fdatasync does anything (a fault of ours, which the laboratory must find).
`clock-ms`: how many milliseconds the wall clock of every worker is ahead.
"""

import os
import signal
from pathlib import Path

KILL_BEFORE_SYNC, KILL_AFTER_SYNC, FULL = "kill-before-sync", "kill-after-sync", "full"
_CLOCK, _NO_SYNC = "clock-ms", "no-sync"


class Orders:
    """What the laboratory writes and a worker reads. `shard` is the stem of the shard's file, such as `shard-0`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._left: dict[Path, int] = {}

    def give(self, shard: int, what: str, after: int = 1) -> Path:
        """Give an order; returns its file, which is gone once a kill is carried out."""
        path = self._directory / f"shard-{shard}.{what}"
        new = path.with_suffix(".new")
        new.write_text(str(after))
        new.rename(path)
        return path

    def take_back(self, shard: int, what: str) -> None:
        """Take an order back; nothing happens when it is not there."""
        (self._directory / f"shard-{shard}.{what}").unlink(missing_ok=True)

    def set_clock(self, ahead_ms: int) -> None:
        """Let the wall clock of every worker be so many milliseconds ahead."""
        new = self._directory / "clock.new"
        new.write_text(str(ahead_ms))
        new.rename(self._directory / _CLOCK)

    def clock_ahead_ms(self) -> int:
        """Return by how much the wall clock is ahead, 0 when nobody moved it."""
        try:
            return int((self._directory / _CLOCK).read_text())
        except FileNotFoundError:
            return 0

    def forget_syncs(self) -> None:
        """Let no fdatasync do anything from now on."""
        (self._directory / _NO_SYNC).touch()

    @property
    def forgets_syncs(self) -> bool:
        """True when no fdatasync does anything."""
        return (self._directory / _NO_SYNC).exists()

    def full(self, shard: str) -> bool:
        """True while the shard's disk is full."""
        return (self._directory / f"{shard}.{FULL}").exists()

    def obey_kill(self, shard: str, what: str) -> None:
        """End this process, if the order says that it is time."""
        path = self._directory / f"{shard}.{what}"
        if not path.exists():
            self._left.pop(path, None)
            return
        left = self._left.get(path) or int(path.read_text())
        if left > 1:
            self._left[path] = left - 1
            return
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
