"""A worker that is fed, blocked, relieved and robbed of its peers in any order: what became of every message."""

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
OVERSHOOT = 6
MOST_EFFECTS = 6
PHASES = (Phase.reuse, Phase.generate, Phase.shrink)
SECOND_NS = 1_000_000_000
CAME = ("taken_from_sessions", "taken_from_workers", "failures_sent")
ENDS = (
    "run",
    "queued",
    "parked",
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

    @rule(full=st.sets(st.sampled_from([4, 5])), part=st.integers(0, 2))
    def the_other_worker_tells(self, full, part):
        peer = self.shard.peers.find(OTHER)
        if peer is None:
            return
        outgoing = peer.link.outgoing
        self.remote += 1
        taken = outgoing.acknowledged + outgoing.outstanding * part // 2
        mark, ids = self.shard.marks.mark(OTHER), [self.receivers[place] for place in sorted(full)]
        state = LinkState(OTHER, mark, 7, 0, self.remote, "", taken, 10**6, 10**9, 0, [], ids, 0, 0)
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
    def mailboxes_keep_their_bounds(self):
        for agent in self.agents:
            if agent.mailbox is not None:
                assert agent.mailbox.depth <= agent.capacity + OVERSHOOT

    @invariant()
    def who_is_parked_is_known(self):
        parked = [each.agent for waiting in self.all_parked() for each in waiting]
        assert sorted(a.agent_id for a in parked) == [a.agent_id for a in self.agents if a.holds]

    def all_parked(self):
        waiting = self.shard.parking._waiting.values()
        return [list(each.values()) if isinstance(each, dict) else list(each) for each in waiting]

    def teardown(self):
        self.plans = []
        # An effect waits from when the one before it left: one after the other, in the longest chain there can be.
        for _ in range(len(self.agents) * MOST_EFFECTS * (DEFAULT_TIMEOUT_MS // 1_000 + 1)):
            self.time_goes_by(1)
            if not self.shard.parking.messages and not self.shard.dispatcher.queued:
                break
        assert (self.shard.parking.messages, self.shard.dispatcher.queued) == (0, 0), "every wait ends"
        self.every_message_has_one_end()


class Clock:
    def __init__(self):
        self.now_ns = SECOND_NS

    def __call__(self):
        return self.now_ns


@pytest.mark.hypothesis
def test_every_message_has_exactly_one_end(make_shard, message, monkeypatch):
    """Whoever is full, gone or silent: the ledger balances, order holds, bounds hold, and every wait ends in time."""
    clock = Clock()
    for module in ("loop.passes", "turns.routes", "loop.maintenance"):
        monkeypatch.setattr(f"workers.{module}.monotonic_ns", clock)
    monkeypatch.setattr("workers.agents.mailbox.OVERSHOOT", OVERSHOOT)
    monkeypatch.setattr("workers.turns.routes.OVERSHOOT", OVERSHOOT)
    run_state_machine_as_test(
        lambda: Traffic(make_shard, message, clock),
        settings=settings(stateful_step_count=40, phases=PHASES),
    )
