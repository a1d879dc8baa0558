"""One life of one worker: spawned, watched, killed, reaped."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Exit:
    """How a process ended: `status` as subprocess gives it (negative: the signal)."""

    status: int

    @property
    def by_sigkill(self) -> bool:
        """True when it was killed from outside, or by the kernel for its memory."""
        return self.status == -signal.SIGKILL

    def __str__(self) -> str:
        if self.status >= 0:
            return f"exit code {self.status}"
        try:
            return f"killed by {signal.Signals(-self.status).name}"
        except ValueError:
            return f"killed by signal {-self.status}"


class WorkerProcess:
    """A worker's process. Made in the main thread only: children are told to die with the thread that spawned them.

    Raises OSError when it cannot be spawned. `on_exit` is called once, when the process has ended and is reaped.
    """

    def __init__(
        self, command: Sequence[str], spec: SpawnSpec, loop: asyncio.AbstractEventLoop, on_exit: Callable[[Exit], None]
    ) -> None:
        self.shard = spec.shard
        self.incarnation = spec.incarnation
        self._loop = loop
        self._on_exit = on_exit
        # A process group of its own: Ctrl-C is for the supervisor, which drains.
        self._process = subprocess.Popen([*command], stdin=subprocess.PIPE, process_group=0)
        self._watched = os.pidfd_open(self._process.pid)
        loop.add_reader(self._watched, self._ended)
        self._tell(spec)

    def _tell(self, spec: SpawnSpec) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            # A few kilobytes: always within the pipe's buffer, so this does not wait.
            pipe.write(spec.encode())
            pipe.close()
        except BrokenPipeError:
            return  # it has died already; `_ended` follows

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True until it is reaped."""
        return self._watched >= 0

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

    def kill(self) -> None:
        """End it at once; `on_exit` follows. Killing twice is fine."""
        if self.alive:
            self._process.kill()

    def end_unseen(self) -> None:
        """Kill and reap it here and now, without `on_exit`: for when nobody is left to act on it. Twice is fine."""
        if self.alive:
            self._process.kill()
            self._reap()

    def _ended(self) -> None:
        self._on_exit(self._reap())

    def _reap(self) -> Exit:
        self._loop.remove_reader(self._watched)
        os.close(self._watched)
        self._watched = -1
        return Exit(self._process.wait())
