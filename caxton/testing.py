"""A small real runtime for tests: `caxton serve` as a child process, in short temporary directories that go with it.

    async with caxton.testing.runtime(workers=2) as served, served.connect() as client:
        echo = await client.deploy("echo", Path("echo.wasm"))
        await served.kill_worker(0)

A fixture that is shared by many tests opens it with a plain `with`: it belongs to no event loop. Open it in the main
thread: the child is told to end when the thread that started it does.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from types import TracebackType
from typing import Any, Self, TypeVar

from caxton.client.call_line import ask_soon
from caxton.client.client import Client
from caxton.client.own_runtime import interrupts_afterwards
from caxton.errors import ConfigurationError, NetworkError, Timeout
from caxton.transport.endpoints import LONGEST_PATH, RuntimeDir
from caxton.wire.answered import answered
from caxton.wire.supervision import AskHealth, Told
from caxton.wire.told import Health, read_told

T = TypeVar("T")

READY_TIMEOUT_S = 90.0
# Longer than a drain (10 s), after which the runtime kills its workers by itself.
STOP_TIMEOUT_S = 20.0
EVENT_TIMEOUT_S = 30.0
_LOOK_PERIOD_S = 0.02
_LONGEST_PARENT = LONGEST_PATH - len("/cx-12345678/r/s-0123456789abcdef.control")
_PYTHON = (sys.executable, "-P")


def runtime(workers: int = 1, *, options: Sequence[str] = ()) -> "ServedRuntime":
    """Return a runtime that serves inside a `with` or `async with` block; `options` go to `caxton serve` as they are.

    Entering raises ConfigurationError when it does not start, with what it wrote, and Timeout after 90 s.
    """
    return ServedRuntime(workers, options)


class ServedRuntime:
    """One data directory and the runtime that serves it, which may be stopped and started again.

    runtime_dir, data_dir: its directories. pid: its supervisor, 0 while it is stopped. events: what it told on its
    standard output since the first start, oldest first, as `caxton serve -o json` prints it.
    """

    def __init__(self, workers: int, options: Sequence[str]) -> None:
        self._workers = workers
        self._options = tuple(options)
        parent = gettempdir()
        short = len(os.fsencode(parent)) <= _LONGEST_PARENT
        self._directory = TemporaryDirectory(prefix="cx-", dir=parent if short else "/tmp")  # noqa: S108 (fits sockets)
        root = Path(self._directory.name)
        self.runtime_dir, self.data_dir, self._log = root / "r", root / "d", root / "log"
        self.events: list[dict[str, Any]] = []
        self._told = threading.Condition()
        self._child: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The supervisor's process id, 0 while nobody serves."""
        return 0 if self._child is None else self._child.pid

    @property
    def log(self) -> str:
        """What the runtime's processes wrote on standard error, guests' lines included."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def connect(self, *, reconnect: bool = True) -> Client:
        """Return a client of this runtime; open it with `async with`. reconnect: as in `caxton.connect`."""
        return Client(self.runtime_dir, reconnect=reconnect)

    def start(self, workers: int | None = None) -> None:
        """Serve, and return when it is ready; `workers` other than before is what a user might try.

        Raises ConfigurationError when it does not start, with what it wrote; Timeout after 90 s.
        """
        began = len(self.events)
        self._spawn(self._workers if workers is None else workers)
        try:
            self._await_ready(began)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Tell the supervisor to drain (SIGTERM), wait for its end and return its exit code; 0 when nobody serves.

        One that does not end in time is killed, and Timeout raised.
        """
        child = self._child
        if child is None:
            return 0
        child.terminate()
        try:
            code = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Timeout("stopping the runtime", timeout_s) from None
        self._forget()
        return code

    def kill(self) -> None:
        """Kill the supervisor; its workers die with it. Nothing happens when nobody serves."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(STOP_TIMEOUT_S)
            self._forget()

    def close(self) -> None:
        """Stop, and remove the directories. Closing twice is fine."""
        try:
            self.stop()
        finally:
            self._directory.cleanup()

    async def health(self) -> Health:
        """Return what `caxton health -o json` prints, without a session."""
        told = answered(await ask_soon(self.runtime_dir, AskHealth(), EVENT_TIMEOUT_S), Told, "the supervisor")
        return read_told(told.values, Health)

    async def worker_pid(self, shard: int) -> int:
        """Return the process id of a shard's worker, 0 while there is none."""
        return (await self.health()).workers[shard].pid

    async def kill_worker(self, shard: int) -> int:
        """Kill a shard's worker with SIGKILL, wait for it to be missed, and return its process id."""
        pid = await self.worker_pid(shard)
        if not pid:
            raise NetworkError(f"worker of shard {shard}", "there is none to be killed")
        began = len(self.events)
        os.kill(pid, signal.SIGKILL)
        await self.event("worker_died", after=began, shard=shard, pid=pid)
        return pid

    async def event(
        self, name: str, *, after: int = 0, timeout_s: float = EVENT_TIMEOUT_S, **fields: object
    ) -> dict[str, Any]:
        """Wait for an event with these fields, from place `after` of `events` on, and return it; raises Timeout."""
        return await asyncio.to_thread(self._await_event, {"event": name, **fields}, after, timeout_s)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        began = len(self.events)
        try:
            self._spawn(self._workers)  # in this thread, which the child is to die with
            await asyncio.to_thread(self._await_ready, began)
        except BaseException:
            self.kill()
            self._directory.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def _spawn(self, workers: int) -> None:
        if self._child is not None:
            raise ConfigurationError("the test's runtime", f"it serves already (pid {self.pid})", "stop it first")
        RuntimeDir(self.runtime_dir).check()
        serve = ["serve", "-o", "json", "--workers", str(workers), *self._options]
        serve += ["--runtime-dir", str(self.runtime_dir), "--data-dir", str(self.data_dir)]
        ends_with_us = [*_PYTHON, "-m", "caxton.client.own_runtime", str(os.getpid())]
        try:
            with self._log.open("ab") as log, interrupts_afterwards():
                self._child = subprocess.Popen(
                    [*ends_with_us, *_PYTHON, "-m", "caxton", *serve],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the tests, which then stop it in order
                )
            self._reader = threading.Thread(target=self._read, args=(self._child,), daemon=True)
            self._reader.start()
        except BaseException:
            self.kill()
            raise

    def _read(self, child: "subprocess.Popen[bytes]") -> None:
        for line in child.stdout or ():
            with self._told:
                self.events.append(json.loads(line))
                self._told.notify_all()
        with self._told:
            self.events.append({"event": "ended", "pid": child.pid})
            self._told.notify_all()

    def _await_ready(self, began: int) -> None:
        with self._told:
            self._told.wait_for(lambda: self._found({}, began, ("ready", "ended")) is not None, READY_TIMEOUT_S)
            found = self._found({}, began, ("ready", "ended"))
        if found is None:
            raise Timeout("starting a runtime for tests", READY_TIMEOUT_S)
        if found["event"] == "ended" and self._child is not None:
            code = self._child.wait(STOP_TIMEOUT_S)
            raise ConfigurationError("the test's runtime", f"it ended with exit code {code}", f"it wrote: {self.log}")

    def _await_event(self, fields: dict[str, object], after: int, timeout_s: float) -> dict[str, Any]:
        with self._told:
            if not self._told.wait_for(lambda: self._found(fields, after) is not None, timeout_s):
                raise Timeout(f"the event {fields}", timeout_s)
            return self._found(fields, after) or {}

    def _found(self, fields: dict[str, object], after: int, names: tuple[str, ...] = ()) -> dict[str, Any] | None:
        for event in self.events[after:]:
            if fields.items() <= event.items() and (not names or event["event"] in names):
                return event
        return None

    def _forget(self) -> None:
        child, self._child = self._child, None
        if self._reader is not None:
            self._reader.join(STOP_TIMEOUT_S)
        if child is not None and child.stdout is not None:
            child.stdout.close()


async def eventually(look: Callable[[], Awaitable[T]], timeout_s: float = EVENT_TIMEOUT_S) -> T:
    """Ask every 20 ms until the answer is true (as `bool` sees it), and return it: for what nobody announces.

    Raises Timeout, with the last answer, when that takes longer than `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = await look()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            raise Timeout(f"waiting for something true, and the last answer was {answer!r:.200}", timeout_s)
        await asyncio.sleep(_LOOK_PERIOD_S)
