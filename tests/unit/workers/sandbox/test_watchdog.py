"""The watchdog stops the guest that overruns, in time, once, and nobody else."""

import gc
import runpy
import threading
import time
from pathlib import Path

import pytest

from caxton.agents.limits import Limits
from workers.sandbox.traps import Trap, TrapReason
from workers.sandbox.watchdog import Reckoning, Watchdog


def test_an_overrun_is_stopped_at_its_deadline(start, watchdog):
    """A loop with fuel to spare ends when its time is up and not before; then the watchdog waits for nobody."""
    limits = Limits(max_fuel=10**12, max_execution_ms=30)
    for _ in range(15):
        sandbox = start("loop_in_handle", limits)
        begun = time.monotonic_ns()
        with pytest.raises(Trap) as raised:
            sandbox.handle(b"")
        assert time.monotonic_ns() - begun >= 30_000_000
        assert raised.value.reason is TrapReason.DEADLINE
    assert watchdog.deadline_ns == 0


def test_a_call_has_its_time_from_the_look_before_it():
    """A thread that got no time between two looks gave none to the call that began there; one that computed did."""
    ms = 10**6
    reckoning = Reckoning(1_000 * ms, 100 * ms)
    reckoning.look(0, 1_010 * ms, 110 * ms)
    deadline = 1_015 * ms + 50 * ms

    assert reckoning.look(deadline, 1_090 * ms, 112 * ms) == 110 * ms + 55 * ms  # by the clock it is late already
    assert reckoning.look(deadline, 1_100 * ms, 121 * ms) == 165 * ms
    assert reckoning.look(2_000 * ms, 1_110 * ms, 130 * ms) == 121 * ms + 900 * ms


def test_time_that_others_compute_is_not_the_guests(start, watchdog, monkeypatch):
    """A guest whose thread gets no computing time is not stopped, however late it is by the clock on the wall."""
    looks, looked_after = [], threading.Event()

    def clock(of_thread):
        if threading.current_thread() is not watchdog._thread:  # another engine's, of which nothing is asked here
            return time.clock_gettime_ns(of_thread)
        if not watchdog.deadline_ns:
            looked_after.set()
            return time.clock_gettime_ns(of_thread)
        looks.append(time.monotonic_ns())
        return 0 if len(looks) <= 10 else 10**12

    monkeypatch.setattr("workers.sandbox.watchdog.clock_gettime_ns", clock)
    sandbox = start("loop_in_handle", Limits(max_fuel=10**12, max_execution_ms=30))
    begun = time.monotonic_ns()
    with pytest.raises(Trap) as raised:
        sandbox.handle(b"")

    assert raised.value.reason is TrapReason.DEADLINE
    assert len(looks) > 10
    assert looks[9] - begun > 30_000_000
    looked_after.clear()
    assert looked_after.wait(60), "the next test has the time as it is"


def test_each_overrun_is_one_interrupt(start, engine, watchdog):
    """The epoch moves by one for each guest that overran, and by none for those that did not."""
    quiet = start("echo")
    epoch, overruns = engine.epoch, watchdog.overruns
    for expected in range(1, 4):
        endless = start("loop_in_handle", Limits(max_fuel=10**12, max_execution_ms=10_000))
        endless._limit_ns = 5_000_000  # from here on: where others compute, its start may take so long on the wall
        with pytest.raises(Trap):
            endless.handle(b"")
        for _ in range(1_000):
            assert quiet.handle(b"x") == b"x"
        assert engine.epoch - epoch == watchdog.overruns - overruns == expected


def test_guests_that_were_there_before_an_interrupt_are_not_stopped_by_it(start, engine):
    """An interrupt counts for the guest that ran; every other renews its deadline before it runs again."""
    sandboxes = [start("echo") for _ in range(20)]
    for _ in range(3):
        engine.interrupt()
        assert [sandbox.handle(b"x") for sandbox in sandboxes] == [b"x"] * 20


def test_an_interrupt_between_two_calls_of_one_guest_is_not_its_own(start, engine):
    """A guest whose call ended just as it was interrupted runs its next call."""
    sandbox = start("count")
    sandbox.handle(b"")
    engine.interrupt()
    assert sandbox.handle(b"") == (2).to_bytes(8, "little")


def test_deadlines_that_pass_while_many_short_calls_run_stop_none_of_them(start, watchdog):
    """Hundreds of thousands of short calls under a deadline of 1 ms: those that are interrupted did overrun it."""
    limits = Limits(max_execution_ms=1)
    overruns = watchdog.overruns
    sandbox, stopped = start("echo", limits), 0
    for _ in range(300_000):
        try:
            sandbox.handle(b"x")
        except Trap as trap:
            stopped += trap.reason is TrapReason.DEADLINE
            sandbox = start("echo", limits)
    assert stopped <= watchdog.overruns - overruns


def test_it_rests_while_nothing_happens_and_misses_nothing_after(start, watchdog):
    """After some looks without a call it may rest; the first call after that is stopped at its deadline like others."""
    sandbox = start("loop_in_handle", Limits(max_fuel=10**12, max_execution_ms=5))
    while not watchdog.resting:
        watchdog.rest()
    with pytest.raises(Trap) as raised:
        sandbox.handle(b"")

    assert raised.value.reason is TrapReason.DEADLINE
    assert not watchdog.resting


def test_it_stops_while_it_rests(engine):
    """A watchdog at rest ends like one that watches."""
    watchdog = Watchdog(engine)
    watchdog.start()
    thread = watchdog._thread
    while not watchdog.resting:
        watchdog.rest()
    watchdog.stop()

    assert not thread.is_alive()


def test_it_starts_and_stops_more_than_once(engine):
    """Starting or stopping again is fine, and no thread remains."""
    watchdog = Watchdog(engine)
    for _ in range(2):
        watchdog.start()
        watchdog.start()
        thread = watchdog._thread
        assert thread is not None
        assert thread.daemon
        watchdog.stop()
        watchdog.stop()
        assert not thread.is_alive()
    gc.collect()


def test_nobody_runs_between_the_last_look_and_the_interruption():
    """Threads that want the interpreter lock all the time see no interruption half done; others ask every Python so."""
    works = runpy.run_path(str(Path(__file__).parents[4] / "faultlab" / "installed.py"))

    assert works["torn_interruptions"](300) == 0
