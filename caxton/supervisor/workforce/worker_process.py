"""One life of one worker: spawned, watched, killed, reaped."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from caxton.supervisor.workforce.child_process import ChildProcess, Exit
from caxton.wire.spawn_spec import SpawnSpec

# -P: else a folder `workers/` in the current directory would be run instead.
WORKER_COMMAND = (sys.executable, "-P", "-m", "workers")
_NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# Where `utime` stands in /proc/PID/stat, counted from the state; `stime` follows.
_USER_TICKS = 11
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes_of(pid: int) -> int:
    """Return how much memory a process has; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


class WorkerProcess(ChildProcess):
    """A worker's process. Raises OSError when it cannot be spawned."""

    def __init__(
        self, command: Sequence[str], spec: SpawnSpec, loop: asyncio.AbstractEventLoop, on_exit: Callable[[Exit], None]
    ) -> None:
        self.shard = spec.shard
        self.incarnation = spec.incarnation
        super().__init__(subprocess.Popen([*command], stdin=subprocess.PIPE, process_group=0), loop, on_exit)
        self.tell(spec.encode())

    @property
    def resident_bytes(self) -> int:
        """How much memory it has now; 0 when it is gone."""
        return resident_bytes_of(self.pid)

    @property
    def computed_ns(self) -> int:
        """How much processor time it has had; 0 when it is gone."""
        user, system = self._stat[_USER_TICKS : _USER_TICKS + 2] or (0, 0)
        return (int(user) + int(system)) * _NS_PER_TICK

    @property
    def stopped(self) -> bool:
        """True when it is not let run: by SIGSTOP, or by a debugger."""
        return self._stat[:1] in (["T"], ["t"])

    @property
    def _stat(self) -> list[str]:
        """What the kernel says of it behind its name, which may be anything, from the state on; [] when it is gone."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            return []
