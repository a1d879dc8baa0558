"""One life of the gateway: spawned, heard, ended, reaped."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from caxton.supervisor.workforce.worker_process import Exit
from caxton.wire.gateway_spec import GatewaySpec

# -P: else a folder `caxton/` in the current directory would be run instead.
GATEWAY_COMMAND = (sys.executable, "-P", "-m", "caxton.gateway")
_READ_BYTES = 4_096


class GatewayProcess:
    """Made in the main thread only: children are told to die with the thread that spawned them. Raises OSError.

    `on_tick` is called when it is heard, `on_exit` once, when it has ended and is reaped.
    """

    def __init__(
        self, command: Sequence[str], spec: GatewaySpec, on_tick: Callable[[], None], on_exit: Callable[[Exit], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_tick = on_tick
        self._on_exit = on_exit
        pipe = subprocess.PIPE
        # A process group of its own: Ctrl-C is for the supervisor.
        self._process = subprocess.Popen(
            [*command], stdin=pipe, stdout=pipe, pass_fds=(spec.descriptor,), process_group=0
        )
        self._watched = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._watched, self._ended)
        self._ticks = -1
        if self._process.stdout is not None:
            self._ticks = self._process.stdout.fileno()
            os.set_blocking(self._ticks, False)
            self._loop.add_reader(self._ticks, self._heard)
        self._tell(spec)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True until it is reaped."""
        return self._watched >= 0

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

    def _tell(self, spec: GatewaySpec) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            # A few hundred bytes: always within the pipe's buffer, so this does not wait.
            pipe.write(spec.encode())
            pipe.close()
        except BrokenPipeError:
            return  # it has died already; `_ended` follows

    def _heard(self) -> None:
        try:
            told = os.read(self._ticks, _READ_BYTES)
        except BlockingIOError:
            return
        if told:
            self._on_tick()
        else:
            self._deafen()

    def _deafen(self) -> None:
        if self._ticks >= 0:
            self._loop.remove_reader(self._ticks)
            self._ticks = -1

    def _ended(self) -> None:
        self._on_exit(self._reap())

    def _reap(self) -> Exit:
        self._deafen()
        self._loop.remove_reader(self._watched)
        os.close(self._watched)
        self._watched = -1
        if self._process.stdout is not None:
            self._process.stdout.close()
        return Exit(self._process.wait())
