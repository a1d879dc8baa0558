"""A worker that is fed, held back, relieved and robbed of its peers in any order: what became of every message."""

from collections import Counter, defaultdict

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from caxton.acl.envelope import AUTOMATIC
from caxton.acl.options import DEFAULT_TIMEOUT_MS
from caxton.wire.control import SessionEnded
from caxton.wire.link_state import LinkState

OTHER = 8
HERE = st.integers(0, 3)
OF_ONE, OF_LINK, MOST = 6, 5, 14
MOST_EFFECTS = 6
PHASES = (Phase.reuse, Phase.generate, Phase.shrink)
SECOND_NS = 1_000_000_000
CAME = ("taken_from_sessions", "taken_from_workers", "failures_sent")
ENDS = (
    "run",
    "queued",
    "backlog",
    "emitted_to_sessions",
    "emitted_to_workers",
    "session_gone",
    "session_full",
    "refused",
    "expired",
    "given_up",
    "discarded",
    "failures_dropped",
)
ALL = range(9)  # receivers: agents 0 to 3 here, 4 and 5 of the other shard, 6 nobody, 7 and 8 sessions


class Traffic(RuleBasedStateMachine):
    """The ledger: whatever was taken, sent by a turn, or made as a failure, has exactly one end.

    taken + effects + failures_sent = the sum of `ENDS`, where a failure that itself came to nothing is in two of them.
    """

    def __init__(self, make_shard, message, clock):
        super().__init__()
        self.shard, self.message, self.clock = make_shard(shards=2, sessions=2), message, clock
        self.agents = [self.shard.agent(n + 1, capacity=capacity) for n, capacity in enumerate((1, 2, 2, 8))]
        ids = [agent.agent_id for agent in self.agents] + [(n << 10) | 1 for n in (1, 2)] + [9 << 10]
        self.receivers = ids + self.shard.sessions
        self.plans = []
        self.effects = self.twice = self.remote = 0
        self.last = defaultdict(int)
        self.shard.turns.script = self.script
        self.fail = self.shard.routes.fail
        self.shard.routes.fail = self.watch_failures

    def script(self, agent, message):
        assert agent.takes
        key = message.sender, message.receiver
        if not message.flags & AUTOMATIC:
            number = int.from_bytes(message.message_id, "big")
            assert number > self.last[key], "from one sender to one receiver, in order and once"
            self.last[key] = number
        effects = []
        for to, answer in self.plans.pop() if self.plans else ():
            fields = {"in_reply_to": bytes(16)} if answer else {}
            effects.append(self.message(agent.agent_id, self.receivers[to], **fields))
        self.effects += len(effects)
        return effects

    def watch_failures(self, message, error):
        made = self.shard.routes.a_pass.counts["failures_sent"]
        self.fail(message, error)
        if message.flags & AUTOMATIC:
            self.twice += 1
            assert self.shard.routes.a_pass.counts["failures_sent"] == made, "nothing automatic is answered"

    @rule(session=st.integers(0, 1), to=st.lists(st.sampled_from(ALL), min_size=1, max_size=12))
    def a_client_sends(self, session, to):
        number = self.shard.sessions[session]
        self.shard.frame(number, [self.message(number, self.receivers[place]) for place in to])

    @rule(to=st.lists(st.sampled_from(ALL), min_size=1, max_size=12), flags=st.sampled_from([0, AUTOMATIC]))
    def another_worker_sends(self, to, flags):
        sender = self.receivers[4]
        self.shard.frame(OTHER, [self.message(sender, self.receivers[place], flags=flags) for place in to])

    @rule(plans=st.lists(st.lists(st.tuples(st.sampled_from(ALL), st.booleans()), max_size=MOST_EFFECTS), max_size=20))
    def turns_will_send(self, plans):
        self.plans = plans

    @rule()
    def one_pass(self):
        self.shard.step()

    @rule(seconds=st.sampled_from([0.2, 5, 20]))
    def time_goes_by(self, seconds):
        self.clock.now_ns += int(seconds * SECOND_NS)
        self.shard.tick()

    @rule(part=st.integers(0, 2), credit=st.integers(0, 9))
    def the_other_worker_tells(self, part, credit):
        peer = self.shard.peers.find(OTHER)
        if peer is None:
            return
        outgoing = peer.link.outgoing
        self.remote += 1
        taken = outgoing.acknowledged + outgoing.outstanding * part // 2
        mark = self.shard.marks.mark(OTHER)
        state = LinkState(OTHER, mark, 7, 0, self.remote, "", taken, taken + credit, 10**9, 0, [], [], 0, 0)
        self.shard.say(state)

    @rule(session=st.integers(0, 1))
    def a_client_ends(self, session):
        self.shard.say(SessionEnded(0, self.shard.marks.mark(0), self.shard.sessions[session]))

    @rule(who=HERE)
    def an_agent_stops(self, who):
        if self.agents[who].takes:
            self.shard.runner.run(self.shard.lifecycle.stop(self.agents[who].agent_id))

    @invariant()
    def every_message_has_one_end(self):
        counts = self.shard.worker._passes.present.counts + self.unreleased() + Counter(self.shard.book.totals())
        counts = dict(counts) | self.shard.parts.gauges()
        came = self.effects + sum(counts.get(name, 0) for name in CAME)
        ends = {name: counts.get(name, 0) for name in ENDS}
        assert came + self.twice == sum(ends.values()), ends

    def unreleased(self):
        """What the open pass holds: it leaves, or does not, with the next release."""
        a_pass = self.shard.worker._passes.present
        return Counter(emitted_to_workers=sum(len(messages) for messages in a_pass.emitted.values()))

    @invariant()
    def bounds_are_kept(self):
        dispatcher, backlogs = self.shard.dispatcher, self.shard.backlogs
        assert dispatcher.effects <= MOST + OF_ONE
        assert backlogs.weight(1) <= OF_LINK + MOST_EFFECTS  # what was to go, and found no credit
        assert all(weighs <= OF_ONE + MOST_EFFECTS for weighs in dispatcher.resting.values())
        assert not dispatcher.begun or not dispatcher.idle
        for agent in self.agents:
            if agent.mailbox is not None:
                assert agent.mailbox.depth - agent.mailbox.effects <= agent.capacity
                assert agent.mailbox.weight <= OF_ONE

    @invariant()
    def nobody_is_held(self):
        assert not any(agent.holds for agent in self.agents)

    def teardown(self):
        self.plans = []
        self.shard.settle()
        assert self.shard.dispatcher.queued == 0, "nothing waits for anything here"
        self.time_goes_by(DEFAULT_TIMEOUT_MS // 1_000 + 1)
        assert (self.shard.backlogs.messages, self.shard.dispatcher.resting) == (0, {}), "every wait ends"
        self.every_message_has_one_end()


class Clock:
    def __init__(self):
        self.now_ns = SECOND_NS

    def __call__(self):
        return self.now_ns


@pytest.mark.hypothesis
def test_every_message_has_exactly_one_end(make_shard, message, monkeypatch):
    """Whoever is full, gone or silent: the ledger balances, order and bounds hold, nobody waits for anybody here."""
    clock = Clock()
    for module in ("loop.passes", "loop.maintenance"):
        monkeypatch.setattr(f"workers.{module}.monotonic_ns", clock)
    bounds = {"OF_ONE": OF_ONE, "MOST_EFFECTS": MOST, "MOST_IN_ALL": MOST + OF_ONE, "OF_LINK": OF_LINK}
    for name, bound in bounds.items():
        monkeypatch.setattr(f"workers.queues.admission.{name}", bound)
    run_state_machine_as_test(
        lambda: Traffic(make_shard, message, clock),
        settings=settings(stateful_step_count=40, phases=PHASES),
    )
