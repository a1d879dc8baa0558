"""The thread that interrupts a guest which runs past its deadline."""

import threading
import time
from time import clock_gettime_ns, monotonic_ns

from workers.sandbox.engine import GuestEngine
from workers.sandbox.raw_call import increment_epoch

INTERVAL_S = 0.01
# Looks in a row that found no call under way, after which it may rest.
_QUIET_LOOKS = 10
_STOP_TIMEOUT_S = 5.0


class Reckoning:
    """How far the thread may compute until the call under way has had its time. Pure: the caller reads the clocks.

    A call that is seen for the first time began after the look before. Since then the thread computed for others too,
    and while it did not compute, neither did the call: so what the clock on the wall says is left at the look before is
    left to be computed from what had been computed then. That is what the call has, and at most one interval more.
    """

    def __init__(self, now_ns: int, computed_ns: int) -> None:
        self._seen = self._due_ns = 0
        self._looked_ns, self._computed_ns = now_ns, computed_ns

    def look(self, deadline_ns: int, now_ns: int, computed_ns: int) -> int:
        """Return the computing time at which the call is due.

        deadline_ns: of the call under way, 0 while there is none. now_ns: on the monotonic clock, as the deadline is.
        computed_ns: what the thread has computed up to now.
        """
        if deadline_ns != self._seen:
            self._seen = deadline_ns
            self._due_ns = self._computed_ns + deadline_ns - self._looked_ns
        self._looked_ns, self._computed_ns = now_ns, computed_ns
        return self._due_ns


class Watchdog:
    """Wakes every 10 ms and looks whether the call under way has had its time.

    Its time is computing time, of the thread that calls guests and starts this one: on a machine where others compute
    too, a guest gets as much as elsewhere. See `Reckoning` for what it had before the first look.

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
            clock = time.pthread_getcpuclockid(threading.get_ident())
            self._thread = threading.Thread(target=self._watch, args=(clock,), name="watchdog", daemon=True)
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

    def _watch(self, clock: int) -> None:
        engine, address = self._engine, self._engine.address
        reckoning = Reckoning(monotonic_ns(), clock_gettime_ns(clock))
        while not self._stopping:
            if self.resting:
                self._awake.wait()
                reckoning.look(0, monotonic_ns(), clock_gettime_ns(clock))
            time.sleep(INTERVAL_S)
            deadline_ns, computed_ns = self.deadline_ns, clock_gettime_ns(clock)
            due_ns = reckoning.look(deadline_ns, monotonic_ns(), computed_ns)
            if not deadline_ns:
                self._quiet_looks += 1
                continue
            self._quiet_looks = 0
            # From the next comparison to the end of increment_epoch the interpreter lock is not given away: attributes,
            # comparisons and forward jumps do not look whether another thread waits, and a call through PyDLL looks
            # only after it. So the call that was looked at is the one that is interrupted, and whoever runs next sees
            # the new epoch. GuestEngine.interrupt is written out, because entering a function would look.
            if computed_ns >= due_ns and self.deadline_ns == deadline_ns:
                self.deadline_ns = 0
                self.overruns += 1
                engine.epoch += 1
                increment_epoch(address)
