"""What is measured of turns, and for how many others it counts."""

from collections import Counter
from random import Random
from types import SimpleNamespace

import pytest

from caxton.delivery.latency import bucket_of
from caxton.store import books
from workers.agents.registry import Hold
from workers.queues.timed_turn import SampledTurns, TimedTurn
from workers.worker_pass import MAX_TURNS, NEVER, NS_PER_MS, Pass


class Turns:
    """Turns that take as long as the test says, on a clock that they move."""

    def __init__(self):
        self.now_ns = 10**9
        self.taken = []

    def clock(self):
        return self.now_ns

    def take(self, agent, _message, _source, sequence, _expires_ns, _delivery):
        began_ns = self.now_ns
        if agent.runs:
            agent.run += 1
            self.now_ns += agent.turn_ns
            self.taken.append(sequence)
        return began_ns


@pytest.fixture
def turns():
    return Turns()


# Where slices begin.
SLICES = (3, 4)


def counted(agent, _message):
    """What a turn does that is one."""
    agent.run += 1
    return []


def sums(shard):
    return {name: sum(buckets) for name, buckets in books.read(shard.path).histograms.items()}


def agent_of(turn_ns, *, runs=True):
    return SimpleNamespace(run=0, turn_ns=turn_ns, runs=runs, took_ns=0)


def test_one_turn_is_measured_and_the_rest_pass_through(turns, message):
    """What waited since it was placed, and what its turn took; a message that expired is none."""
    timed = TimedTurn(turns.take, turns.clock)
    agent, late = agent_of(700), agent_of(5, runs=False)
    waiting = message(1, 2)
    timed(late, waiting, 1, 1, 1, None)
    assert timed.agent is None
    expires_ns = turns.now_ns - 3_000 + waiting.timeout_ms * NS_PER_MS
    assert timed(agent, waiting, 1, 2, expires_ns, None) == 10**9
    timed(agent_of(9), waiting, 1, 3, NEVER, None)
    a_pass = Pass(0, 0)
    timed.tell(a_pass, 40)

    assert turns.taken == [2, 3]
    assert a_pass.latencies == [("waiting", 3_000, 40), ("processing", 700, 40)]
    assert agent.took_ns == 700 * 40


def test_a_turn_at_once_has_not_waited_and_a_stored_message_since_it_came(turns, message):
    """Nobody placed the one before its turn; the other knows since when it waits."""
    at_once, stored = TimedTurn(turns.take, turns.clock), TimedTurn(turns.take, turns.clock)
    at_once(agent_of(1), message(1, 2), 1, 1, NEVER, None)
    stored(agent_of(1), message(1, 2), 1, 1, NEVER, SimpleNamespace(since_ns=turns.now_ns - 50))

    assert (at_once.waited_ns, stored.waited_ns) == (0, 50)


def test_each_turn_has_the_same_chance_of_being_measured(turns, message):
    """Over many passes of three slices each turn is the one about as often as the others, and counts for all ten."""
    dice, told = Random(5).random, Counter()
    for _ in range(2_000):
        a_pass, sample, stop = Pass(0, 0), SampledTurns(turns.take, dice), 0
        agents = [agent_of(1) for _ in range(10)]
        take = turns.take
        for turn in range(10):
            if turn in SLICES:
                sample.turns = turn
                take, stop = sample.resume()
            while turn - sample.turns >= stop:
                take, stop = sample.go_on(turn - sample.turns)
            take(agents[turn], message(1, 2), 1, turn, NEVER, None)
        sample.turns = 10
        sample.tell(a_pass)
        (_, _, waited), (_, _, processed) = a_pass.latencies
        assert waited == processed == 10
        told.update(n for n, agent in enumerate(agents) if agent.took_ns)

    assert sorted(told) == list(range(10))
    assert all(150 < often < 250 for often in told.values())


def test_after_the_last_turn_of_a_pass_nothing_is_measured(turns):
    """However the dice fall, the pass ends where it is to end."""
    sample = SampledTurns(turns.take, lambda: 1 - 1e-16)
    sample.go_on(0)
    assert sample.go_on(1) == (turns.take, MAX_TURNS)


def test_a_pass_tells_how_long_its_messages_took(shard, message):
    """One message of its frame counts for all of them, in the book and at its agent; at once none has waited."""
    shard.turns.script = counted
    session, agent = shard.sessions[0], shard.agent(1)
    shard.frame(session, [message(session, agent.agent_id) for _ in range(30)])
    shard.step()

    assert sums(shard) == {"routing": 30, "waiting": 30, "processing": 30, "commit": 0}
    assert books.read(shard.path).histograms["waiting"][bucket_of(0)] == 30
    assert agent.took_ns > 0


def test_messages_that_wait_in_mailboxes_count_where_their_turns_are(shard, message):
    """A frame for an agent that is paused is routed now, and waits, and is processed when it may be."""
    shard.turns.script = counted
    session, agent = shard.sessions[0], shard.agent(1)
    agent.hold(Hold.PAUSED)
    shard.frame(session, [message(session, agent.agent_id) for _ in range(20)])
    shard.settle()
    assert sums(shard) == {"routing": 20, "waiting": 0, "processing": 0, "commit": 0}
    agent.release(Hold.PAUSED)
    shard.dispatcher.resume(agent)
    shard.settle()

    assert sums(shard) == {"routing": 20, "waiting": 20, "processing": 20, "commit": 0}
