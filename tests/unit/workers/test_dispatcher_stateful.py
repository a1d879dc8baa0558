"""Agents that are given messages, run, held, resumed and discarded in any order, and what always holds of them."""

from collections import Counter, defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from caxton.acl.options import LEVELS
from caxton.ids import SESSION_BIT
from workers.agents.mailbox import NORMAL, weight
from workers.agents.registry import Hold
from workers.queues.dispatcher import Dispatcher
from workers.queues.far_shards import FarShards
from workers.queues.turn_time import LONG_NS, TurnTime
from workers.worker_pass import MAX_PASS_NS, Pass

WHO = st.integers(0, 3)
SENDER = st.sampled_from([1, 2, SESSION_BIT, SESSION_BIT + 1])
LEVEL = st.sampled_from([int(level) for level in LEVELS])


class Line(RuleBasedStateMachine):
    """What was put is in `waiting` until it was taken or discarded, in order for each sender, receiver and level."""

    def __init__(self, make_agent, message):
        super().__init__()
        self.make_agent, self.message = make_agent, message
        self.clock_ns = self.turn_ns = 0
        self.dispatcher = Dispatcher(TurnTime(lambda: self.clock_ns, lambda: self.clock_ns), FarShards({}))
        self.agents = [make_agent(n) for n in range(4)]
        self.waiting = defaultdict(list)
        self.ended = set()
        self.now_ns = 0
        self.turns_left = 0
        self.hold_next = set()
        self.echo_next = {}

    def key(self, agent, message):
        return message.sender, id(agent), message.level

    def put(self, agent, sender, level, size):
        message = self.message(sender, agent.agent_id, level=level, content=bytes(size))
        mailbox = agent.mailbox or agent.open_mailbox()
        origin = 0 if sender >= SESSION_BIT else sender % 2 + 1
        self.dispatcher.enqueue(agent, mailbox, message, sender, 1, self.now_ns, origin)
        self.waiting[self.key(agent, message)].append(message)

    def take(self, agent, message, *_entry):
        assert not agent.holds, "an agent that is held has no turn"
        assert message.message_id not in self.ended, "no message is taken twice"
        assert self.waiting[self.key(agent, message)].pop(0) is message, "one sender's messages keep their order"
        self.ended.add(message.message_id)
        if agent in self.hold_next:
            agent.hold(Hold.PAUSED)
        if agent in self.echo_next:
            self.put(agent, agent.agent_id, self.echo_next.pop(agent), 3)
        self.clock_ns += self.turn_ns
        self.turns_left -= 1
        return self.now_ns if self.turns_left > 0 else self.now_ns + MAX_PASS_NS

    @rule(who=WHO, sender=SENDER, level=LEVEL, count=st.integers(1, 40), size=st.sampled_from([0, 3, 5_000]))
    def put_some(self, who, sender, level, count, size):
        for _ in range(count):
            self.put(self.agents[who], sender, level, size)

    @rule(turns=st.integers(1, 60), turn_ns=st.sampled_from([0, LONG_NS // 40, LONG_NS]))
    def run(self, turns, turn_ns=0):
        self.turns_left, self.turn_ns = turns, turn_ns
        a_pass = Pass(self.now_ns, 0)
        ended_early = ended = False
        while not ended:  # what came meanwhile would be taken
            self.dispatcher.run(a_pass, self.take, lambda _agent, _mailbox: None)
            ended_early = a_pass.unfinished or a_pass.hurried
            ended = ended_early or self.dispatcher.idle
        assert not (a_pass.unfinished and self.dispatcher.idle)
        assert ended_early or not any(
            messages for agent in self.agents if not agent.holds for messages in self.of(agent)
        ), "a pass that is finished leaves nobody in want of a turn"

    @rule()
    def a_round_begins(self):
        self.dispatcher.lines.round += 1

    @rule(who=WHO)
    def hold_in_its_next_turn(self, who):
        self.hold_next.add(self.agents[who])

    @rule(who=WHO, level=LEVEL)
    def send_itself_one_in_its_next_turn(self, who, level):
        self.echo_next[self.agents[who]] = level

    @rule(who=WHO)
    def resume(self, who):
        agent = self.agents[who]
        self.hold_next.discard(agent)
        agent.release(Hold.PAUSED)
        self.dispatcher.resume(agent)

    @rule(who=WHO, replaced=st.booleans())
    def discard(self, who, replaced):
        agent = self.agents[who]
        entries = self.dispatcher.discard(agent)
        assert sorted(e[0].message_id for e in entries) == sorted(m.message_id for ms in self.of(agent) for m in ms)
        self.ended.update(entry[0].message_id for entry in entries)
        for messages in self.of(agent):
            messages.clear()
        if replaced:
            self.agents[who] = self.make_agent(who)

    def of(self, agent):
        return [messages for (_, receiver, _), messages in self.waiting.items() if receiver == id(agent)]

    @invariant()
    def gauges_equal_what_is_there(self):
        there = [message for agent in self.agents for messages in self.of(agent) for message in messages]
        assert self.dispatcher.queued == len(there)
        assert self.dispatcher.queued_bytes == sum(len(message.content) for message in there)
        for agent in self.agents:
            mailbox, roots = agent.mailbox, [m for ms in self.of(agent) for m in ms if m.sender >= SESSION_BIT]
            assert (0 if mailbox is None else mailbox.depth) == sum(len(ms) for ms in self.of(agent))
            assert (0 if mailbox is None else mailbox.root_bytes) == sum(len(m.content) for m in roots)

    @invariant()
    def what_effects_weigh_is_known(self):
        effects = [m for agent in self.agents for ms in self.of(agent) for m in ms if m.sender < SESSION_BIT]
        by_origin = Counter()
        for message in effects:
            by_origin[message.sender % 2 + 1] += weight(len(message.content))
        mailboxes = [agent.mailbox for agent in self.agents if agent.mailbox is not None]
        assert Counter(self.dispatcher.begun) + Counter(self.dispatcher.resting) == by_origin
        assert self.dispatcher.effects == sum(mailbox.weight for mailbox in mailboxes) == by_origin.total()
        assert sum(mailbox.effects for mailbox in mailboxes) == len(effects)
        resting = sum(mailbox.weight for mailbox in mailboxes if mailbox.held)
        assert sum(self.dispatcher.resting.values()) == resting

    @invariant()
    def nobody_is_forgotten_or_twice_in_line(self):
        for agent in self.agents:
            for level, queue in agent.mailbox.queues() if agent.mailbox is not None else ():
                lines = self.dispatcher.lines
                in_line = lines.ready[level].count(agent) + lines.unknown.count((agent, level))
                in_line += [standing for _, _, standing in lines.slow[level]].count(agent)
                in_line += lines.newcomers.count(agent) * (level == NORMAL)
                assert in_line == queue.in_line, "once in one of four lines"
                assert in_line or not queue or agent.holds

    def teardown(self):
        for who in range(4):
            self.resume(who)
        self.echo_next.clear()
        while not self.dispatcher.idle:
            self.run(10_000)
        assert not any(self.waiting.values())


@pytest.mark.hypothesis
def test_every_message_is_taken_once_and_in_order(shard, message):
    """Whatever is put, held, resumed and discarded: gauges are right, nobody is lost, no message is taken twice."""
    kept = []  # so that no two agents of a run have the same id()

    def make_agent(number):
        kept.append(shard.agent(number + 1, enter=False))
        return kept[-1]

    run_state_machine_as_test(
        lambda: Line(make_agent, message),
        settings=settings(max_examples=settings().max_examples // 2, stateful_step_count=40),
    )
