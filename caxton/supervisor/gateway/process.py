"""One life of the gateway: spawned, heard, ended, reaped."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from caxton.supervisor.workforce.child_process import ChildProcess, Exit
from caxton.wire.gateway_spec import SETTINGS_CHANGED, GatewaySpec
from caxton.wire.gateway_tick import END, MOST_BYTES, Tick

# -P: else a folder `caxton/` in the current directory would be run instead.
GATEWAY_COMMAND = (sys.executable, "-P", "-m", "caxton.gateway")


class GatewayProcess(ChildProcess):
    """The gateway's process. on_tick: called with each tick. Raises OSError when it cannot be spawned."""

    def __init__(
        self,
        command: Sequence[str],
        spec: GatewaySpec,
        on_tick: Callable[[Tick], None],
        on_exit: Callable[[Exit], None],
    ) -> None:
        pipe = subprocess.PIPE
        inherited = tuple(place.descriptor for place in spec.listening)
        process = subprocess.Popen([*command], stdin=pipe, stdout=pipe, pass_fds=inherited, process_group=0)
        super().__init__(process, asyncio.get_running_loop(), on_exit)
        self._on_tick = on_tick
        self._ticks = -1
        # Of a line that it has begun to say, as far as a tick may be long.
        self._begun = b""
        if self._process.stdout is not None:
            self._ticks = self._process.stdout.fileno()
            os.set_blocking(self._ticks, False)
            self._loop.add_reader(self._ticks, self._heard)
        self.tell(spec.encode())

    def look_at_settings(self) -> None:
        """Have it ask for the settings, which have changed. It must have been heard: before that it would end of it."""
        if self.alive:
            self._process.send_signal(SETTINGS_CHANGED)

    def _heard(self) -> None:
        try:
            told = os.read(self._ticks, MOST_BYTES)
        except BlockingIOError:
            return
        if not told:
            self._deafen()
            return
        *lines, begun = (self._begun + told).split(END)
        self._begun = begun[-MOST_BYTES:]
        for line in lines:
            if (tick := Tick.decode(line)) is not None:
                self._on_tick(tick)

    def _deafen(self) -> None:
        if self._ticks >= 0:
            self._loop.remove_reader(self._ticks)
            self._ticks = -1

    def _reap(self) -> Exit:
        self._deafen()
        ended = super()._reap()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return ended
