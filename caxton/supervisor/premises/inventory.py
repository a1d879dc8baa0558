"""What has to be in both directories while the runtime lives. Others tidy: in `/tmp`, what is old goes after ten days.

What is ours is touched, so that it is never old. What is gone all the same is put back where that is possible, and
said in health where it is not. Where nobody can ask for health any more, the runtime has to end.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from caxton.errors import CaxtonError
from caxton.store.directory_lock import DirectoryLock
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir

TOUCH_PERIOD_S = 3_600.0


class Kept(NamedTuple):
    """A file that can be put back, and how."""

    path: Path
    put_back: Callable[[], None]


class Inventory:
    """Looks after the files of a runtime. locks: of its directories. kept: what is put back beside their files.

    problem: what is gone and cannot be put back, for people, as of the last look. unreachable: nobody can come to this
    runtime any more, because its directory or a socket of the supervisor's is gone.
    """

    def __init__(self, runtime_dir: RuntimeDir, locks: Sequence[DirectoryLock], kept: Sequence[Kept]) -> None:
        self._runtime_dir = runtime_dir
        self._locks = locks
        self._kept = kept
        self.problem: str | None = None
        self.unreachable = False
        self._missed: set[Path] = set()

    def look(self, workers: Iterable[int]) -> list[str]:
        """Look what is gone; returns what was put back. workers: the incarnations whose files are there to be found."""
        problems: list[str] = []
        put_back = [str(path) for path in self._put_back(problems)]
        missing = [
            path for peer in (SUPERVISOR, *workers) for path in self._runtime_dir.needed(peer) if not path.exists()
        ]
        # A worker that ends takes its sockets with it a moment before it is reaped: what is missing twice is gone.
        gone = [path for path in missing if path in self._missed]
        self._missed = {*missing}
        if gone:
            names = ", ".join(path.name for path in gone)
            own = any(path in self._runtime_dir.needed(SUPERVISOR) for path in gone)
            self.unreachable |= own
            remedy = "end this runtime and serve again" if own else "run `caxton restart`"
            problems.append(f"{names} is gone from {self._runtime_dir.path}: {remedy}")
        self.problem = "; ".join(problems) or None
        return put_back

    def touch(self) -> None:
        """Make everything that is ours young again; it still says when it was last written."""
        directories = [lock.path.parent for lock in self._locks]
        inside = [path for directory in directories for depth in ("*", "*/*") for path in directory.glob(depth)]
        for path in (*directories, *inside):
            with contextlib.suppress(OSError):  # it has just ended, or is not ours
                os.utime(path, ns=(time.time_ns(), path.lstat().st_mtime_ns), follow_symlinks=False)

    def _put_back(self, problems: list[str]) -> list[Path]:
        done: list[Path] = []
        for lock in self._locks:
            if not lock.is_in_place:
                problems.append(f"{lock.path.parent} was removed or replaced: end this runtime and serve again")
                self.unreachable = True
                return done
        for path, put_back in (*((lock.path, lock.restore) for lock in self._locks), *self._kept):
            if path.exists():
                continue
            try:
                put_back()
            except (CaxtonError, OSError) as error:
                problems.append(f"{path} is gone and cannot be put back: {error}")
            else:
                done.append(path)
        return done
