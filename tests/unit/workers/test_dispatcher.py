from collections import Counter
from itertools import groupby, pairwise
from math import ceil

import pytest

from caxton.acl.options import LEVELS
from workers.agents.long_turns import LongTurns
from workers.agents.registry import Hold
from workers.queues.dispatcher import Dispatcher
from workers.queues.far_shards import FarShards
from workers.queues.lines import LOWER_EVERY, NEWCOMERS, QUANTUM
from workers.queues.turn_time import LONG_NS, MEMORY, OTHERS, PROVEN, TurnTime
from workers.worker_pass import MAX_PASS_NS, MAX_TURNS, SLICE_NS, Pass

SESSION = 1 << 63
LOW, NORMAL, HIGH, CRITICAL = (int(level) for level in LEVELS)


class Clock:
    """Stands still unless a test moves it."""

    def __init__(self):
        self.now_ns = self.computed_ns = 0

    def now(self):
        return self.now_ns

    def computed(self):
        return self.computed_ns

    def pass_by(self, ns, *, computing=True):
        self.now_ns += ns
        self.computed_ns += ns * computing


class Line:
    """A dispatcher, and who had which turn."""

    def __init__(self):
        self.clock = Clock()
        self.agents = {}
        self.dispatcher = Dispatcher(TurnTime(self.clock.now, self.clock.computed), FarShards(self.agents))
        self.turns = []
        self.now_ns = 0
        self.turn_ns = 0
        self.on_take = None

    def put(self, agent, message):
        mailbox = agent.mailbox or agent.open_mailbox()
        self.dispatcher.enqueue(agent, mailbox, message, 1, len(self.turns) + 1, self.now_ns, message.sender)

    def take(self, agent, message, *_entry):
        agent.run += 1
        self.turns.append((agent, message))
        if self.on_take is not None:
            self.on_take(agent, message)
        began, self.now_ns = self.now_ns, self.now_ns + self.turn_ns
        return began

    def run(self):
        a_pass = Pass(self.now_ns, 0)
        self.dispatcher.lines.round += 1
        self.go_on(a_pass)
        return a_pass

    def go_on(self, a_pass):
        self.clock.now_ns = max(self.clock.now_ns, self.now_ns)
        self.dispatcher.run(a_pass, self.take, lambda _agent, _mailbox: None)

    def names(self):
        return [agent.manifest.name for agent, _ in self.turns]


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def agents(shard):
    return [shard.agent(n, enter=False) for n in range(1, 6)]


def test_turns_go_round_with_a_quantum(line, agents, message):
    """Agents that all have enough to do take turns of sixteen messages."""
    for agent in agents[:3]:
        for _ in range(2 * QUANTUM):
            line.put(agent, message(1, agent.agent_id))
    line.run()

    assert line.names() == [name for name in ("a1", "a2", "a3") * 2 for _ in range(QUANTUM)]


def test_a_busy_agent_starves_nobody(line, agents, message):
    """An agent that feeds itself without end holds a newcomer up for one quantum."""
    busy, other = agents[:2]

    def feed(agent, _message):
        if agent is busy:
            line.put(busy, message(1, busy.agent_id))
            if len(line.turns) == 5:
                line.put(other, message(1, other.agent_id))

    line.on_take = feed
    line.put(busy, message(1, busy.agent_id))
    line.run()

    assert line.names().index("a2") == QUANTUM
    assert line.dispatcher.queued == busy.mailbox.depth == 1


def test_higher_levels_come_first(line, agents, message):
    """Of messages that wait together, those of a higher level are taken first, but for one turn in eight."""
    agent = agents[0]
    for level in (LOW, NORMAL, HIGH, CRITICAL):
        line.put(agent, message(1, agent.agent_id, level=level))
    line.run()

    assert [m.level for _, m in line.turns] == [CRITICAL, HIGH, NORMAL, LOW]


class Slow:
    """Agents whose turns compute for so long, and others whose turns take a microsecond, in passes that go on."""

    def __init__(self, line, agents):
        self.line = line
        self.agents = agents
        self.turn_ns = LONG_NS
        self.computing = True
        line.on_take = self.take
        self.began_ns = []

    def take(self, agent, _message):
        clock = self.line.clock
        self.began_ns.append(clock.now_ns)
        clock.pass_by(self.turn_ns if agent in self.agents else 1_000, computing=self.computing)
        self.line.now_ns = clock.now_ns

    def waited_ns(self, agent):
        """Return for how long the next turn of an agent was waited for."""
        since_ns, before = self.line.clock.now_ns, len(self.line.turns)
        while agent not in [who for who, _ in self.line.turns[before:]]:
            self.line.run()
        place = [who for who, _ in self.line.turns[before:]].index(agent)
        return self.began_ns[before + place] - since_ns


def test_who_comes_waits_for_one_long_turn_and_not_for_one_of_each(line, agents, message):
    """Four agents have long turns without end: another one has its turn after one of theirs, at any time."""
    slow = Slow(line, agents[:4])
    for agent in agents[:4]:
        for _ in range(100):
            line.put(agent, message(1, agent.agent_id))
    for _ in range(2):  # by now it is known of each
        slow.waited_ns(agents[3])
    for _ in range(5):
        line.put(agents[4], message(1, agents[4].agent_id))
        assert slow.waited_ns(agents[4]) <= LONG_NS
        slow.waited_ns(agents[0])


def test_long_turns_have_a_tenth_of_the_time_while_others_wait(line, agents, message):
    """Between two of them the others have nine times as long, and then there is one: nobody starves."""
    Slow(line, agents[:2])
    for _ in range(40):
        for agent in agents[:2]:
            line.put(agent, message(1, agent.agent_id))
    while not (agents[0].long_turns and agents[1].long_turns):
        line.run()
    between, waiting = OTHERS * LONG_NS // 1_000, message(1, agents[2].agent_id)
    while len(line.turns) < 8 * between:
        while line.dispatcher.queued < MAX_TURNS + 200:
            line.put(agents[2], waiting)
        line.run()
    places = [place for place, name in enumerate(line.names()) if name != "a3"][-4:]
    assert all(between <= after - before <= between + QUANTUM + 1 for before, after in pairwise(places))


def test_whose_turns_are_short_again_stands_with_the_others(line, agents, message):
    """A long visit is forgiven by the first short one after a thousand times as long, and by none before."""
    slow = Slow(line, agents[:1])
    agents[0].run = PROVEN
    for turn_ns, known in ((LONG_NS, False), (LONG_NS, True), (1_000, True), (1_000, True)):
        slow.turn_ns = turn_ns
        line.put(agents[0], message(1, agents[0].agent_id))
        line.run()
        assert bool(agents[0].long_turns) == known
    line.clock.now_ns = line.now_ns = 2 * LONG_NS + MEMORY * LONG_NS
    assert agents[0].long_turns.until_ns == line.now_ns
    line.put(agents[0], message(1, agents[0].agent_id))
    line.put(agents[1], message(1, agents[1].agent_id))
    line.run()
    assert not agents[0].long_turns


def test_a_first_turn_in_which_an_instance_is_made_is_forgiven_at_once(line, agents, message):
    """Who has hardly had a turn is light after the first short visit, however long the one before took."""
    slow = Slow(line, agents[:1])
    for turn_ns, known in ((LONG_NS, False), (LONG_NS, True), (1_000, False)):
        slow.turn_ns = turn_ns
        line.put(agents[0], message(1, agents[0].agent_id))
        line.run()
        assert bool(agents[0].long_turns) == known


def test_a_visit_that_others_interrupted_is_not_long(line, agents, message):
    """What passes while another thread, or another process, has the processor is not charged to the agent."""
    slow = Slow(line, agents[:1])
    slow.computing = False
    line.put(agents[0], message(1, agents[0].agent_id))
    line.run()
    assert not agents[0].long_turns


def test_long_turns_at_a_high_level_leave_time_to_lower_ones(line, agents, message):
    """Whoever sends at a level may choose it: that alone does not give an agent more than its share of the time."""
    slow = Slow(line, agents[:1])
    for _ in range(20):
        line.put(agents[0], message(1, agents[0].agent_id, level=CRITICAL))
    line.run()
    line.put(agents[1], message(1, agents[1].agent_id, level=LOW))
    assert slow.waited_ns(agents[1]) <= LONG_NS
    while not line.dispatcher.idle:
        line.run()
    assert len(line.turns) == 21


@pytest.mark.parametrize(("lower", "higher"), [(NORMAL, HIGH), (LOW, NORMAL), (LOW, CRITICAL)])
def test_one_turn_in_eight_goes_lower(line, agents, message, lower, higher):
    """While two levels wait, the lower one has exactly one turn in eight."""
    for _ in range(80):
        line.put(agents[0], message(1, 1, level=higher))
        line.put(agents[1], message(1, 1, level=lower))
    line.run()
    levels = [m.level for _, m in line.turns[:80]]

    assert [place for place, level in enumerate(levels) if level == lower] == list(range(7, 80, LOWER_EVERY))


def test_levels_between_two_count_as_the_lower_one(line, agents, message):
    """A number between two levels waits with the lower of them, in order with it."""
    for level in (1, 4, 5, 7, 8, 9, 10):
        line.put(agents[0], message(1, 1, level=level))
    line.run()

    assert [m.level for _, m in line.turns] == [10, 8, 9, 5, 7, 1, 4]


def test_a_pass_ends_after_its_turns(line, agents, message):
    """A pass has 4,096 turns and, at most, what is left of one quantum; the rest is unfinished and comes next."""
    for place in range(MAX_TURNS + 100):
        line.put(agents[place % 5], message(1, 1))
    first = line.run()
    second = line.run()

    assert first.unfinished
    assert MAX_TURNS <= first.turns < MAX_TURNS + QUANTUM
    assert not second.unfinished
    assert first.turns + second.turns == MAX_TURNS + 100


def test_slices_share_the_turns_of_a_pass(line, agents, message):
    """However many slices a pass has, its turns are no more than 4,096, and what is left of one quantum."""
    line.turn_ns = 100
    for place in range(MAX_TURNS + 1_000):
        line.put(agents[place % 5], message(1, 1))
    a_pass = line.run()
    assert a_pass.turns < MAX_TURNS
    while not a_pass.unfinished:
        line.go_on(a_pass)

    assert MAX_TURNS <= a_pass.turns < MAX_TURNS + QUANTUM


def test_turns_run_for_a_slice(line, agents, message):
    """After 0.25 ms it is looked who else has come, so the pass is not over: no turn begins later, but one."""
    line.turn_ns = 100_000
    for place in range(200):
        line.put(agents[place % 5], message(1, 1))
    a_pass = line.run()

    assert not a_pass.unfinished
    assert a_pass.turns == ceil(SLICE_NS / line.turn_ns) + 1
    assert line.dispatcher.queued == 200 - a_pass.turns


def test_a_pass_ends_after_its_time(line, agents, message):
    """No turn begins that is later than 5 ms after the pass began, but the one that shows it."""
    line.turn_ns = 100_000
    for place in range(200):
        line.put(agents[place % 5], message(1, 1))
    a_pass = line.run()
    while not a_pass.unfinished:
        line.go_on(a_pass)

    assert a_pass.turns == MAX_PASS_NS // line.turn_ns + 1
    assert line.dispatcher.queued == 200 - a_pass.turns


def test_a_slow_turn_ends_the_pass(line, agents, message):
    """One turn longer than a pass lets the next pass have the next turn, of another agent."""
    line.turn_ns = 10 * MAX_PASS_NS
    for agent in agents[:2]:
        for _ in range(3):
            line.put(agent, message(1, 1))
    for _ in range(4):
        line.run()

    assert Counter(line.names()) == {"a1": 4, "a2": 2} or Counter(line.names()) == {"a1": 3, "a2": 3}


def test_nothing_to_do_is_no_unfinished_pass(line):
    """A pass in which nobody is ready is finished."""
    a_pass = line.run()

    assert (a_pass.turns, a_pass.unfinished, line.dispatcher.idle) == (0, False, True)


def test_an_agent_that_is_held_has_no_turn(line, agents, message):
    """An agent that is held in its turn has no other until it is resumed, and nobody else waits for it."""

    def hold(agent, _message):
        if agent is agents[0]:
            agent.hold(Hold.BROKEN)

    line.on_take = hold
    for _ in range(3):
        for agent in agents[:2]:
            for level in (NORMAL, HIGH):
                line.put(agent, message(1, 1, level=level))
    line.run()

    assert Counter(line.names()) == {"a1": 1, "a2": 6}
    assert line.dispatcher.idle
    assert line.dispatcher.queued == agents[0].mailbox.depth == 5

    line.on_take = None
    agents[0].release(Hold.BROKEN)
    line.dispatcher.resume(agents[0])
    line.dispatcher.resume(agents[0])
    line.run()

    assert Counter(line.names()) == {"a1": 6, "a2": 6}


def test_a_discarded_mailbox_is_returned_whole(line, agents, message):
    """What an agent had waiting is returned, highest level first, and counted no more."""
    for level in (LOW, NORMAL, CRITICAL):
        line.put(agents[0], message(1, 1, level=level, content=b"12345"))
    line.put(agents[1], message(1, 1, content=b"123"))

    assert [entry[0].level for entry in line.dispatcher.discard(agents[0])] == [CRITICAL, NORMAL, LOW]
    assert (line.dispatcher.queued, line.dispatcher.queued_bytes) == (1, 3)
    line.run()
    assert line.names() == ["a2"]


@pytest.mark.parametrize("way", ["draw", "expired", "discard"])
def test_what_leaves_without_a_turn_counts_no_longer(line, agents, message, way):
    """What is given to a client, expires or goes with its agent is no longer counted for whose root it follows."""
    agent, dispatcher = agents[0], line.dispatcher
    for _ in range(3):
        line.put(agent, message(agents[1].agent_id, agent.agent_id))
    assert dispatcher.begun == {agents[1].agent_id: 3}
    left = {
        "draw": lambda: dispatcher.draw(agent, 9, 9, lambda _entry: True),
        "expired": lambda: dispatcher.expired(agent, 1 << 62, lambda _agent, _delivery: True),
        "discard": lambda: dispatcher.discard(agent),
    }[way]()

    assert len(left) == 3
    assert (dispatcher.begun, dispatcher.resting, dispatcher.effects, dispatcher.queued) == ({}, {}, 0, 0)


def test_an_agent_without_mailbox_has_nothing_to_discard(line, agents):
    """An agent that never had a message is discarded without trace."""
    assert line.dispatcher.discard(agents[0]) == []
    line.dispatcher.resume(agents[0])
    assert line.dispatcher.idle


def test_room_is_told_once_at_half(line, agents, message):
    """A full mailbox tells that it has room when it is down to a half, and not with every turn."""
    told = []
    agent = agents[0]
    agent.capacity = 40
    for _ in range(40):
        line.put(agent, message(1, 1))

    def room(_agent, mailbox):
        told.append(mailbox.depth)
        mailbox.fed_by = None

    agent.mailbox.fed_by = {1}
    line.dispatcher.run(Pass(0, 0), line.take, room)

    assert told == [8]  # 40, less two quanta and more than a half before


def test_who_needs_few_turns_goes_before_who_waits(line, agents, message):
    """Who had less than a quantum in this round has the next turn, and who had one stands behind."""
    busy, light, spent = agents[:3]

    def more(_agent, _message):
        if len(line.turns) == 2 * QUANTUM:
            for agent in (spent, light):
                line.put(agent, message(SESSION, agent.agent_id))

    line.on_take = more
    for _ in range(QUANTUM):
        line.put(spent, message(1, spent.agent_id))
    for _ in range(3 * QUANTUM):
        line.put(busy, message(1, busy.agent_id))
    line.run()

    assert line.names()[2 * QUANTUM :] == ["a2"], "and with it the pass ends"
    line.on_take = None
    line.run()
    assert line.names()[2 * QUANTUM + 1 :] == ["a3"] + 2 * QUANTUM * ["a1"], "no answer of who has waited ends a pass"


@pytest.mark.parametrize("beside", ["nobody", "another level", "long turns"])
@pytest.mark.parametrize("turn_ns", [0, SLICE_NS // 2])
def test_newcomers_leave_others_their_part(line, agents, message, turn_ns, beside):
    """However many come who need few turns, and however long theirs are, every fourth visit is to who has waited."""
    busy, odd, *light = agents
    gone = []

    def again(agent, _message):
        """The one before is asked again: it stands nowhere."""
        if agent in light:
            line.dispatcher.lines.round += 1
            for before in gone:
                line.put(before, message(1, before.agent_id))
            gone[:] = [agent]

    for agent in agents:
        agent.run = PROVEN
    for _ in range(8 * QUANTUM):
        line.put(busy, message(1, busy.agent_id))
    line.dispatcher.lines.round += 1
    line.dispatcher.lines.newcomers.clear()
    line.dispatcher.lines.join(busy, 1)
    for agent in light:
        line.put(agent, message(1, agent.agent_id))
    if beside == "long turns":
        odd.long_turns = LongTurns(0)
        odd.long_turns.until_ns = 1 << 62
    for _ in range(8 * QUANTUM if beside != "nobody" else 0):
        line.put(odd, message(1, odd.agent_id, level=LOW if beside == "another level" else NORMAL))
    line.on_take, line.turn_ns = again, turn_ns
    while len(line.turns) < 200:
        line.run()
    visits = [name for name, _ in groupby(name for name in line.names() if name != "a2")]
    places = [place for place, name in enumerate(visits) if name == "a1"]

    assert max(after - before for before, after in pairwise([-1, *places])) <= NEWCOMERS
    assert {agent.manifest.name for agent in light} <= set(visits)


@pytest.mark.parametrize(
    ("sender", "count", "hurried"), [(SESSION, 1, True), (1, 1, False), (SESSION, QUANTUM + 1, False)]
)
def test_a_pass_is_hurried_when_somebody_outside_waits(line, agents, message, sender, count, hurried):
    """It is for the answers of agents that need few turns: not for what agents send, nor for who has had a quantum."""
    light, busy = agents[:2]
    for _ in range(count):
        line.put(light, message(sender, light.agent_id))
    for _ in range(2 * QUANTUM):
        line.put(busy, message(1, busy.agent_id))

    assert line.run().hurried is hurried


def test_no_pass_is_hurried_for_each_of_many(line, shard, message):
    """While more than a quantum of newcomers wait, their answers leave together."""
    light = [shard.agent(number, enter=False) for number in range(10, 10 + 3 * QUANTUM)]
    for agent in light:
        line.put(agent, message(SESSION, agent.agent_id))
    line.turn_ns = SLICE_NS // QUANTUM
    passes = []
    while not line.dispatcher.idle:
        passes.append(line.run())

    assert [a_pass.hurried for a_pass in passes[:2]] == [False, True]
