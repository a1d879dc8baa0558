"""A shard in virtual time: agents whose turns are long beside others whose turns are short, and how long each waits."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.queues.dispatcher import Dispatcher
from workers.queues.far_shards import FarShards
from workers.queues.lines import QUANTUM
from workers.queues.turn_time import LONG_NS, OTHERS, PROVEN, TurnTime
from workers.worker_pass import MAX_PASS_NS, Pass

MS = 1_000_000
# A visit is one long turn, or as many short ones as are not long together.
LONG, SHORT = st.integers(MAX_PASS_NS, 12 * MS), st.integers(80_000, LONG_NS // QUANTUM - 1)


class Shard:
    """Passes one after the other, and a clock that turns alone move.

    turn_ns: how long the next turn of an agent takes. greedy: who always has messages. began, ended: of each turn, and
    of the pass that it was in, by agent; asked: since when each message waited.
    """

    def __init__(self, make_agent, message):
        self.make_agent, self.message = make_agent, message
        self.now_ns = 0
        self.dispatcher = Dispatcher(TurnTime(lambda: self.now_ns, lambda: self.now_ns), FarShards({}))
        self.turn_ns = {}
        self.greedy = []
        self.asked, self.began, self.left = defaultdict(list), defaultdict(list), defaultdict(list)
        self.used_ns = Counter()
        self._in_pass = []

    def agent(self, turn_ns, *, greedy=False, proven=True):
        """Make an agent; `turn_ns` is a number, or asked for each turn."""
        agent = self.make_agent(len(self.turn_ns) + 1, enter=False)
        agent.run = PROVEN if proven else 0
        self.turn_ns[agent] = turn_ns if callable(turn_ns) else lambda: turn_ns
        if greedy:
            self.greedy.append(agent)
        return agent

    def put(self, agent):
        mailbox = agent.mailbox or agent.open_mailbox()
        message = self.message(1 << 63, agent.agent_id)
        self.dispatcher.enqueue(agent, mailbox, message, 1, 1, self.now_ns, 0)

    def ask(self, agent, at_ns):
        """Put a message that came at a time that may be over: while a turn is under way nothing is taken."""
        self.put(agent)
        self.asked[agent].append(at_ns)

    def take(self, agent, *_entry):
        began_ns = self.now_ns
        self.now_ns += self.turn_ns[agent]()
        self.used_ns[agent] += self.now_ns - began_ns
        agent.run += 1
        self.began[agent].append(began_ns)
        self._in_pass.append(agent)
        return began_ns

    def run(self):
        """Run one pass."""
        for agent in self.greedy:
            while agent.mailbox is None or agent.mailbox.depth < 2 * QUANTUM:
                self.put(agent)
        self.dispatcher.run(Pass(self.now_ns, 0), self.take, lambda *_: None)
        for agent in self._in_pass:
            self.left[agent].append(self.now_ns)
        self._in_pass.clear()

    def run_until_known(self):
        """Let each of those who always have messages have had its long turn."""
        while not all(agent.long_turns for agent in self.greedy):
            self.run()

    def run_for(self, ns):
        end_ns = self.now_ns + ns
        while self.now_ns < end_ns:
            self.run()

    def serve(self, agent, messages, period_ns):
        """Ask an agent again and again; returns for how long each message waited for its answer."""
        at_ns, first = self.now_ns, len(self.left[agent])
        while len(self.left[agent]) < first + messages:
            while at_ns <= self.now_ns and len(self.asked[agent]) < first + messages:
                self.ask(agent, at_ns)
                at_ns += period_ns
            if self.dispatcher.idle and not self.greedy:
                self.now_ns = max(self.now_ns, at_ns)
            self.run()
        return [left - asked for asked, left in zip(self.asked[agent], self.left[agent], strict=True)][first:]


@pytest.fixture
def begin(shard, message):
    """A function that makes a new one."""
    return lambda: Shard(shard.agent, message)


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(long=st.lists(LONG, min_size=1, max_size=10), short_ns=SHORT)
def test_a_light_agent_waits_for_one_long_turn(begin, long, short_ns):
    """Beside any number of greedy agents one at half load waits for one turn of theirs, and for its own work."""
    sim = begin()
    for turn_ns in long:
        sim.agent(turn_ns, greedy=True)
    sim.run_until_known()
    light = sim.agent(short_ns)
    waited = sim.serve(light, 300, 2 * short_ns)
    # What came while the longest turn was under way is half as long as that, and is had before the last of it.
    assert max(waited) <= max(long) + max(long) // 2 + 2 * MAX_PASS_NS


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(long=st.lists(LONG, min_size=2, max_size=8), every=st.integers(2, 20), short_ns=SHORT)
def test_long_turns_among_short_ones_are_remembered(begin, long, every, short_ns):
    """Whose turns are long now and then is not taken for a light agent in between."""
    sim = begin()

    def now_and_then(turn_ns, turns):
        def next_ns():
            turns[0] += 1
            return turn_ns if turns[0] % every == 1 else 10_000

        return next_ns

    for turn_ns in long:
        sim.agent(now_and_then(turn_ns, [0]), greedy=True)
    sim.run_until_known()
    light = sim.agent(short_ns)
    waited = sim.serve(light, 300, 2 * short_ns)
    assert max(waited) <= max(long) + max(long) // 2 + 2 * MAX_PASS_NS


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(long=st.lists(LONG, min_size=2, max_size=8))
def test_of_newcomers_one_long_turn_is_waited_for(begin, long):
    """While nobody knows whose turns are long, who is known to have short ones goes first after the first long one."""
    sim = begin()
    for turn_ns in long:
        agent = sim.agent(turn_ns, proven=False)
        sim.put(agent)
    light = sim.agent(10_000)
    sim.ask(light, sim.now_ns)
    while not sim.left[light]:
        sim.run()
    assert sim.left[light][0] <= max(long) + MAX_PASS_NS


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(long=st.lists(LONG, min_size=1, max_size=6), short_ns=SHORT)
def test_greedy_agents_have_a_tenth_while_others_wait(begin, long, short_ns):
    """Beside an agent that always waits they have a tenth of the time together, within one turn, and as much each."""
    sim = begin()
    greedy = [sim.agent(turn_ns, greedy=True) for turn_ns in long]
    sim.run_until_known()
    busy = sim.agent(short_ns, greedy=True)
    sim.run_for(2 * (OTHERS + 1) * max(long))
    sim.used_ns.clear()
    began_ns = sim.now_ns
    sim.run_for(8 * (OTHERS + 1) * max(long))
    used = [sim.used_ns[agent] for agent in greedy]
    window_ns = sim.now_ns - began_ns
    assert window_ns // 10 - max(long) <= sum(used) + MAX_PASS_NS
    assert sum(used) <= window_ns // 10 + max(long)
    assert max(used) - min(used) <= 2 * max(long)
    assert sim.used_ns[busy] == window_ns - sum(used)


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(long=st.lists(LONG, min_size=2, max_size=6), short_ns=SHORT)
def test_nobody_starves(begin, long, short_ns):
    """Whoever waits has its turn when each other one has used as much as it, and one turn more, of a tenth of all."""
    sim = begin()
    greedy = [sim.agent(turn_ns, greedy=True) for turn_ns in long]
    sim.run_until_known()
    sim.agent(short_ns, greedy=True)
    most_ns = [
        (OTHERS + 1) * sum(own_ns + other_ns for other_ns in long) + (len(long) + 1) * QUANTUM * short_ns
        for own_ns in long
    ]
    sim.run_for(2 * max(most_ns))
    for agent, waited_ns in zip(greedy, most_ns, strict=True):
        began_ns = [*sim.began[agent], sim.now_ns]
        assert max(after - before for before, after in pairwise(began_ns)) <= waited_ns


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turn_ns=LONG, away_ns=st.integers(0, 500 * MS))
def test_whoever_was_away_has_no_credit(begin, turn_ns, away_ns):
    """One that comes back has as much from then on as one that stayed, and nothing for the time in between."""
    sim = begin()
    stayed, away = (sim.agent(turn_ns, greedy=True) for _ in range(2))
    sim.run_until_known()
    sim.greedy.remove(away)
    while away.mailbox.depth:
        sim.run()
    sim.run_for(away_ns)
    sim.greedy.append(away)
    sim.used_ns.clear()
    sim.run_for(20 * turn_ns)
    assert abs(sim.used_ns[stayed] - sim.used_ns[away]) <= 2 * turn_ns
