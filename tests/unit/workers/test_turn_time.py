"""What counts as a long visit, where others have the processor in between."""

from types import SimpleNamespace

import pytest

from workers.queues.turn_time import LONG_NS, TurnTime
from workers.worker_pass import SLICE_NS

MS = 1_000_000
BEGAN_NS = 100 * MS


class Clocks:
    """What time it is, and what this thread has computed. looks: how often that was looked at."""

    def __init__(self):
        self.now_ns, self.computed_ns, self.looks = BEGAN_NS + 1, 0, 0

    def pass_by(self, ns, *, computing=True):
        self.now_ns += ns
        self.computed_ns += ns * computing

    def look(self):
        self.looks += 1
        return self.computed_ns


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def times(clocks):
    """Visits are looked at."""
    times = TurnTime(lambda: clocks.now_ns, clocks.look)
    times.watch(clocks.now_ns)
    return times


@pytest.mark.parametrize("away_ns", [0, SLICE_NS, 3 * MS])
def test_a_long_visit_is_seen_in_whichever_slice_and_whoever_had_the_processor_before(times, clocks, away_ns):
    """What others took between two slices of a pass is taken off no turn."""
    agent = SimpleNamespace(long_turns=None, run=100)
    times.begin(clocks.now_ns, BEGAN_NS, long_wait=False)
    clocks.pass_by(SLICE_NS)
    clocks.pass_by(away_ns, computing=False)
    began_ns = times.begin(clocks.now_ns, BEGAN_NS, long_wait=False)
    clocks.pass_by(LONG_NS)
    times.note(agent, began_ns, clocks.now_ns)
    assert agent.long_turns is not None


def test_a_visit_in_which_others_had_the_processor_is_not_long(times, clocks):
    """However long it took by the clock."""
    agent = SimpleNamespace(long_turns=None, run=100)
    began_ns = times.begin(clocks.now_ns, BEGAN_NS, long_wait=False)
    clocks.pass_by(LONG_NS - 1)
    clocks.pass_by(10 * MS, computing=False)
    times.note(agent, began_ns, clocks.now_ns)
    assert agent.long_turns is None


def test_slices_in_a_row_look_once(times, clocks):
    """What a thread computes is looked at again when more than a slice has gone by."""
    looks = clocks.looks
    for _ in range(4):
        clocks.pass_by(SLICE_NS // 4)
        times.begin(clocks.now_ns, BEGAN_NS, long_wait=False)
    assert clocks.looks == looks
    clocks.pass_by(1)
    times.begin(clocks.now_ns, BEGAN_NS, long_wait=False)
    assert clocks.looks == looks + 1
