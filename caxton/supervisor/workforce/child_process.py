"""One life of a child of the supervisor: spawned, told what it is, ended, reaped."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass


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


class ChildProcess:
    """A process that is watched. Made in the main thread only: children are told to die with the thread that made them.

    `on_exit` is called once, when it has ended and is reaped. Whoever spawns it says so in `process`, which has a pipe
    for its input and a process group of its own: Ctrl-C is for the supervisor.
    """

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        loop: asyncio.AbstractEventLoop,
        on_exit: Callable[[Exit], None],
    ) -> None:
        self._process = process
        self._loop = loop
        self._on_exit = on_exit
        self._watched = os.pidfd_open(process.pid)
        loop.add_reader(self._watched, self._ended)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True until it is reaped."""
        return self._watched >= 0

    def tell(self, spec: bytes) -> None:
        """Write to its input, which ends with it: a few kilobytes, within the pipe's buffer, so this does not wait."""
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            pipe.write(spec)
            pipe.close()
        except BrokenPipeError:
            return  # it has died already; `_ended` follows

    def terminate(self) -> None:
        """Ask it to finish what it has and end; `on_exit` follows."""
        if self.alive:
            self._process.terminate()

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
