"""A child process that tells what happens, a line of JSON for each event, and that we may wait for."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from caxton.errors import NetworkError, Timeout

Event = dict[str, Any]
EVENT_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 20.0


class Child:
    """One process, told to end when this thread does. Made in the main thread. `end` twice is fine.

    events: all that it told so far; each gets `at_ns`, when we read it, on the monotonic clock.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.events: list[Event] = []
        self._told = threading.Condition()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "caxton.client.own_runtime", str(os.getpid()), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for us, who end it in order
            )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """True until it has ended."""
        return self._process.poll() is None

    def event(
        self, name: str, holds: Callable[[Event], bool] = bool, after: int = 0, timeout_s: float = EVENT_TIMEOUT_S
    ) -> Event:
        """Return the first event of this name that holds, from place `after` of `events` on; waits for it.

        Raises Timeout; NetworkError when the process ended without it.
        """
        looked = after

        def found() -> Event | None:
            nonlocal looked
            for event in self.events[looked:]:
                looked += 1
                if (event["event"] == name and holds(event)) or event["event"] == "ended":
                    return event
            return None

        with self._told:
            event = self._told.wait_for(found, timeout_s)
        if event is None:
            raise Timeout(f"the event {name} of {self.name}", timeout_s)
        if event["event"] != name:
            raise NetworkError(self.name, f"it ended before it told {name}")
        return event

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            pipe.write(line.encode() + b"\n")
            pipe.flush()

    def signal(self, number: int) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self.alive:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL and reap it."""
        self.signal(signal.SIGKILL)
        self._close()

    def finish(self, timeout_s: float = _END_TIMEOUT_S) -> int:
        """Close its standard input, which tells it to finish, and wait for its end; returns its exit code.

        Raises Timeout, and then it is killed.
        """
        pipe = self._process.stdin
        if pipe is not None:
            pipe.close()
        return self.ended(timeout_s)

    def ended(self, timeout_s: float = _END_TIMEOUT_S) -> int:
        """Wait for its end; returns its exit code. Raises Timeout, and then it is killed."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Timeout(f"the end of {self.name}", timeout_s) from None
        finally:
            self.kill()
        return self._process.returncode

    def _close(self) -> None:
        self._process.wait(_END_TIMEOUT_S)
        self._reader.join(_END_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            event = json.loads(line)
            event["at_ns"] = time.monotonic_ns()
            self._tell(event)
        self._tell({"event": "ended", "at_ns": time.monotonic_ns()})

    def _tell(self, event: Event) -> None:
        with self._told:
            self.events.append(event)
            self._told.notify_all()


def gone(pid: int, timeout_s: float) -> bool:
    """True once any process has ended, at the latest after `timeout_s`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout_s)[0])
    finally:
        os.close(descriptor)
