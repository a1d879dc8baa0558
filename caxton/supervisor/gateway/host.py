"""Keeps the gateway running: its sockets, its process, its restarts, and why there is none."""

import asyncio
import importlib.util
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from caxton.config.gateway import HTTP, METRICS, GatewaySettings, Place, url_of
from caxton.config.log_levels import DEFAULT_LEVELS, LogLevels
from caxton.delivery.levels import NearLimit
from caxton.errors import ConfigurationError
from caxton.supervisor import events
from caxton.supervisor.events import Event
from caxton.supervisor.gateway.listening import listen
from caxton.supervisor.gateway.process import GatewayProcess
from caxton.supervisor.workforce.child_process import Exit
from caxton.supervisor.workforce.restart_policy import RestartPolicy
from caxton.wire.gateway_spec import GatewaySpec, Listening
from caxton.wire.gateway_tick import Tick

# It imports for half a second, and answers; on a busy machine later.
START_TIMEOUT_S = 30.0
# It tells each second that its loop goes round.
SILENCE_TIMEOUT_S = 10.0
# Until a port that is taken is tried again.
BIND_AGAIN_S = 5.0
METRICS_PATH = "/metrics"
_NEEDS = ("litestar", "uvicorn", "httptools", "prometheus_client")


def check_installed(settings: GatewaySettings) -> None:
    """Raise ConfigurationError where the extra that serves HTTP, or exports, is not installed."""
    if any(importlib.util.find_spec(module) is None for module in _NEEDS):
        raise ConfigurationError(
            next(iter(settings.places), "--otlp"),
            "what serves HTTP is not installed",
            "install it in a clone of Caxton: `pip install '.[http]'`",
        )
    if settings.otlp and importlib.util.find_spec("opentelemetry") is None:
        raise ConfigurationError(
            "--otlp",
            "what exports traces is not installed",
            "install it in a clone of Caxton: `pip install '.[http,otel]'`",
        )


class GatewayHost:
    """Starts a gateway again when it has ended, as the policy allows. Lives in the supervisor's loop and main thread.

    spec_of: makes a spec of the sockets, by the option of each. urls: where HTTP and metrics are asked for, by `http`
    and `metrics`; of none while nobody listens. There is a gateway only where there are all sockets. problem: why there
    is none, None when there is one, or will be in a moment. near: its limits that are near or reached, as it said last.
    ended: none runs and none will.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        command: Sequence[str],
        spec_of: Callable[[Mapping[str, Listening]], GatewaySpec],
        policy: RestartPolicy,
        tell: Callable[[Event], None],
        log_levels: LogLevels = DEFAULT_LEVELS,
    ) -> None:
        # Of gateways that are started from now on; one that starts may have been told others.
        self.log_levels = log_levels
        self._levels_changed = False
        # Where to listen, by option, with the numbers of ports once they are known.
        self._places = settings.places
        self._has_tls = settings.tls is not None
        self._command = command
        self._spec_of = spec_of
        self._policy = policy
        self._tell = tell
        self._sockets: dict[str, socket.socket] = {}
        self._process: GatewayProcess | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began_s = self._heard_s = 0.0
        self._ready_s: float | None = None
        self._stopping = False
        self.urls: dict[str, str] = {}
        self.problem: str | None = None
        self.near: list[NearLimit] = []
        self.ended = asyncio.Event()

    @property
    def pid(self) -> int:
        """Its process id, 0 while there is none."""
        return 0 if self._process is None else self._process.pid

    def open(self) -> None:
        """Listen, and start a gateway; where a port is taken, say so, and try again later."""
        self._timer = None
        if self._stopping or self._process is not None:
            return
        try:
            self._listen()
        except ConfigurationError as error:
            if self.problem is None:
                self._tell(events.gateway_refused(error))
            self.problem = str(error)
            self._later(BIND_AGAIN_S)
            return
        self._launch()

    def again(self) -> None:
        """Start one that was given up: somebody asked for another try."""
        if self._process is None and not self._stopping:
            self._policy.forget()
            self._forget_timer()
            self.open()

    def check(self, *, forgive: bool = False) -> None:
        """Kill a gateway that is silent for too long; `forgive` when the supervisor itself was not running."""
        process, now_s = self._process, time.monotonic()
        if process is None:
            return
        if forgive:
            self._heard_s = now_s
        elif now_s - self._heard_s > (START_TIMEOUT_S if self._ready_s is None else SILENCE_TIMEOUT_S):
            self.problem = f"the gateway said nothing for {now_s - self._heard_s:.0f} s"
            process.kill()

    def log_from(self, levels: LogLevels) -> None:
        """Let gateways log from these levels on, the one that is there and those to come."""
        self.log_levels = levels
        if self._process is None or self._ready_s is None:
            self._levels_changed = True
        else:
            self._process.look_at_settings()

    def stop(self) -> None:
        """Let it finish what it has, and end; `ended` follows."""
        self._stopping = True
        self._forget_timer()
        if self._process is None:
            self.ended.set()
        else:
            self._process.terminate()

    def close(self) -> None:
        """Kill it, and listen no more: nobody is left to act on its end. Closing twice is fine."""
        self._stopping = True
        self._forget_timer()
        if self._process is not None:
            self._process.end_unseen()
            self._process = None
        self._close_sockets()
        self.ended.set()

    def _listen(self) -> None:
        for option, place in self._places.items():
            if option not in self._sockets:
                self._sockets[option] = opened = listen(place, option)
                self._places[option] = Place(*opened.getsockname()[:2])
        paths = {HTTP: "", METRICS: METRICS_PATH}
        self.urls = {
            option.strip("-"): url_of(*place, tls=self._has_tls) + paths[option]
            for option, place in self._places.items()
        }

    def _launch(self) -> None:
        self._began_s = self._heard_s = time.monotonic()
        self._ready_s = None
        self._levels_changed = False
        inherited = {
            option: Listening(opened.fileno(), *self._places[option]) for option, opened in self._sockets.items()
        }
        spec = self._spec_of(inherited)
        try:
            self._process = GatewayProcess(self._command, spec, self._heard, self._ended)
        except OSError as error:
            self._died(f"not started: {error}", 0)

    def _heard(self, tick: Tick) -> None:
        self._heard_s = time.monotonic()
        self.near = tick.near
        if self._ready_s is None:
            self._ready_s = self._heard_s
            self.problem = None
            if self._levels_changed and self._process is not None:
                self._process.look_at_settings()
            self._tell(events.gateway_ready(self.urls, self.pid))

    def _ended(self, how: Exit) -> None:
        process, self._process = self._process, None
        self.near = []
        if self._stopping:
            self.ended.set()
        else:
            self._died(str(how), 0 if process is None else process.pid)

    def _died(self, how: str, pid: int) -> None:
        now_s = time.monotonic()
        served_s = 0.0 if self._ready_s is None else now_s - self._ready_s
        delay_s = self._policy.after_death(now_s, served_s, random.random())  # noqa: S311 (spreads waits)
        self._tell(events.gateway_died(pid, how))
        self.problem = f"the gateway died ({how})"
        if delay_s is None:
            self.problem = f"the gateway died too often (the last: {how}), and is not started again"
            self._tell(events.gateway_failed(how))
            # Whoever asks is refused at once, and does not wait for nobody.
            self._close_sockets()
        else:
            self._later(delay_s)

    def _close_sockets(self) -> None:
        for opened in self._sockets.values():
            opened.close()
        self._sockets.clear()

    def _later(self, delay_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.open)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
