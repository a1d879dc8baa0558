"""The thread that interrupts a guest which runs past its deadline."""

import threading
import time
from time import monotonic_ns

from workers.sandbox.engine import GuestEngine
from workers.sandbox.raw_call import increment_epoch

INTERVAL_S = 0.01
# Looks in a row that found no call under way, after which it may rest.
_QUIET_LOOKS = 10
_STOP_TIMEOUT_S = 5.0


class Watchdog:
    """Wakes every 10 ms and looks whether the call under way has passed its deadline.

    deadline_ns: on the monotonic clock, 0 while no call is under way; written by the sandbox around every call.
    overruns: how many calls were interrupted. resting: it does not look until `watch`, so that a worker in which
    nothing happens does not wake 100 times a second. Only the thread that calls guests lets it rest and watch again, so
    no call begins unwatched.
    """

    def __init__(self, engine: GuestEngine) -> None:
        self.deadline_ns = 0
        self.overruns = 0
        self.resting = False
        self._quiet_looks = 0
        self._awake = threading.Event()
        self._awake.set()
        self._engine = engine
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch; again is fine."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()

    def watch(self) -> None:
        """Look again every 10 ms; for the thread that calls guests, before it calls one."""
        self._quiet_looks = 0
        self.resting = False
        self._awake.set()

    def rest(self) -> None:
        """Look no more until `watch`, if there was nothing to see lately; for the thread that calls guests."""
        if self._quiet_looks >= _QUIET_LOOKS and not self.resting:
            self._awake.clear()
            self.resting = True

    def stop(self) -> None:
        """End the thread, within 10 ms or so; again is fine."""
        thread, self._thread = self._thread, None
        self._stopping = True
        self.watch()
        if thread is not None:
            thread.join(_STOP_TIMEOUT_S)

    def _watch(self) -> None:
        engine, address = self._engine, self._engine.address
        while not self._stopping:
            self._awake.wait()
            time.sleep(INTERVAL_S)
            self._quiet_looks = 0 if self.deadline_ns else self._quiet_looks + 1
            now = monotonic_ns()
            # From here to the end of increment_epoch the interpreter lock is not given away: attributes, comparisons
            # and forward jumps do not look whether another thread waits, and a call through PyDLL looks only after
            # it. So the deadline that was read is that of the call which is interrupted, and whoever runs next sees
            # the new epoch. GuestEngine.interrupt is written out, because entering a function would look.
            if 0 < self.deadline_ns <= now:
                self.deadline_ns = 0
                self.overruns += 1
                engine.epoch += 1
                increment_epoch(address)
