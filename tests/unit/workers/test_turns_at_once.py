"""Turns at once, beside the lines: one that takes long is seen all the same, and holds others up once."""

import pytest

from caxton.links.credit import UNLIMITED
from workers.agents.registry import Hold
from workers.queues.turn_time import LONG_NS, PROVEN, USUAL_NS
from workers.worker_pass import MAX_PASS_NS

LONG = 30 * LONG_NS


class Timed:
    """A shard whose clock its turns alone move: `turn_ns` each, which the thread computes unless it is interrupted."""

    def __init__(self, shard, message, monkeypatch):
        self.shard, self.message = shard, message
        self.now_ns = self.computed_ns = 10**9
        self.turn_ns = {}
        self.computing = True
        self._began_ns = 0
        self.time = shard.dispatcher._turn_time
        self.time.now_ns, self.time._computing_ns = lambda: self.now_ns, lambda: self.computed_ns
        monkeypatch.setattr("workers.loop.passes.monotonic_ns", lambda: self.now_ns)
        shard.turns.script, shard.turns.clock = self._turn, lambda: self._began_ns

    def _turn(self, agent, _message):
        self._began_ns = self.now_ns
        self.now_ns += self.turn_ns[agent]
        self.computed_ns += self.turn_ns[agent] * self.computing
        agent.run += 1
        return []

    def agent(self, number, turn_ns, *, proven=False):
        agent = self.shard.agent(number)
        agent.run = PROVEN * proven
        self.turn_ns[agent] = turn_ns
        return agent

    def frame(self, *agents):
        session = self.shard.sessions[0]
        self.shard.frame(session, [self.message(session, agent.agent_id) for agent in agents])

    def taken(self):
        return [agent for agent, _ in self.shard.turns.taken]


@pytest.fixture
def timed(shard, message, monkeypatch):
    return Timed(shard, message, monkeypatch)


def test_one_long_turn_at_once_ends_those_of_its_pass(timed):
    """Of frames for many idle agents whose turns are long one has its turn; a neighbour comes after the next."""
    long = [timed.agent(number, LONG) for number in range(1, 9)]
    light = timed.agent(9, 1_000, proven=True)
    for agent in [*long, light]:
        timed.frame(agent)
    timed.shard.step()
    assert timed.taken() == long[:1]
    timed.shard.step()
    timed.shard.step()
    assert timed.taken() == [*long[:2], light]
    timed.shard.settle()
    assert timed.taken() == [*long[:2], light, *long[2:]]


def test_who_has_long_turns_one_by_one_is_known(timed):
    """An agent that is idle each time is measured after the second turn that seemed long."""
    agent = timed.agent(1, LONG, proven=True)
    for known in (False, False, True, True):
        timed.frame(agent)
        timed.shard.settle()
        assert bool(agent.long_turns) == known


@pytest.mark.parametrize(("turn_ns", "computing"), [(USUAL_NS - 1, True), (LONG, False)])
def test_who_is_short_or_interrupted_goes_on_at_once(timed, turn_ns, computing):
    """However many turns are in a frame, and whoever else has the processor: visits are not looked at for that."""
    agents = [timed.agent(number, turn_ns, proven=True) for number in range(1, 101)]
    timed.computing = computing
    for _ in range(5):
        timed.frame(*(agents if computing else agents[:1]))
        timed.shard.settle()
    assert timed.time.begin(timed.now_ns, timed.now_ns, long_wait=False) == 0
    assert not any(agent.long_turns for agent in agents)


def test_what_waits_ends_however_much_comes(timed):
    """After a time in which nobody had turns, what waited has them while more comes: then turns are at once again."""
    shard, turn_ns, each = timed.shard, MAX_PASS_NS // 500, 128
    agents = [timed.agent(number, turn_ns, proven=True) for number in range(1, each + 1)]
    timed.frame(*agents[:2])
    shard.settle()
    (client,) = shard.peers.sessions()
    client.link.incoming._told_messages = client.link.incoming._told_bytes = UNLIMITED
    for agent in agents:
        agent.hold(Hold.PAUSED)
    for _ in range(3):
        timed.frame(*agents)
    shard.settle()
    for agent in agents:
        agent.release(Hold.PAUSED)
        shard.dispatcher.resume(agent)
    assert not shard.dispatcher.idle
    for _ in range(20):
        timed.frame(*agents)

    while not shard.dispatcher.idle:
        shard.step()
    assert shard.data.frames
