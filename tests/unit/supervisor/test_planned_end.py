from hypothesis import given
from hypothesis import strategies as st

from caxton.supervisor.workforce.planned_end import STOP_TIMEOUT_S, PlannedEnd, Step

beats = st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=20)


@given(beats)
def test_two_idle_beats_in_a_row_stop_it(beats):
    """The word to stop comes with the second idle heartbeat in a row of a worker that knows of its end, and once."""
    end = PlannedEnd(0.0, 100.0)
    steps, known = [], []

    for phase, idle in beats:
        end.heard(phase, idle=idle)
        steps.append(end.step(1.0))
        known += [idle] if phase else []

    rested = any(known[at] and known[at + 1] for at in range(len(known) - 1))
    assert steps.count(Step.STOP) == int(rested)
    assert Step.KILL not in steps


@given(st.floats(0.0, 1_000.0))
def test_who_never_rests_is_stopped_then_killed(patience_s):
    """At the end of the patience comes the word to stop, STOP_TIMEOUT_S later the kill, and then nothing."""
    end = PlannedEnd(0.0, patience_s)

    stop = end.step(patience_s)
    waits = end.step(patience_s + STOP_TIMEOUT_S / 2)
    kill = end.step(patience_s + STOP_TIMEOUT_S)
    after = end.step(patience_s + 2 * STOP_TIMEOUT_S)

    assert [stop, waits, kill, after] == [Step.STOP, Step.WAIT, Step.KILL, Step.WAIT]
    assert end.killed


def test_a_late_look_stops_before_it_kills():
    """Whoever looks much too late still gives the worker its time to stop."""
    end = PlannedEnd(0.0, 10.0)

    assert end.step(1_000.0) is Step.STOP
    assert end.step(1_000.0) is Step.WAIT
    assert not end.killed
