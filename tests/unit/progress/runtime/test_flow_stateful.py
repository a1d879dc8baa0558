"""Graphs of agents over several shards, under floods, pauses, traps and kills: all is bounded, and all that began ends.

Every number that bounds something is small here, so that each bound is met.
"""

import asyncio
from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.errors import CaxtonError
from caxton.links.credit import FIRST_STORED
from workers.agents.mailbox import weight
from workers.sandbox.traps import Trap, TrapReason

SHARDS, AGENTS = 3, 7
SECOND = 5  # ticks
LONGEST_WAIT = 120 * SECOND
PATIENT_S = 3_000.0
TIMEOUT_MS = 60_000
OF_ONE, MOST_EFFECTS, MOST_IN_ALL, OF_LINK, OUTBOX, POOL, ON_DISK = 24, 60, 90, 16, 200, 24, 200
# A message of 3 KiB weighs four: so much may come beyond a bound that has just not been met.
HEAVIEST = 4
SHARD, WHO, AGENT = st.integers(0, SHARDS - 1), st.integers(0, 1), st.integers(0, AGENTS - 1)
LANE = st.sampled_from(Lane)
HOPS = st.integers(0, 4)
# How many of each an agent passes on, while there are hops enough, and their size.
OF = st.sampled_from([(1, 0), (1, 0), (2, 0), (30, 0), (1, 3 << 10), (8, 3 << 10)])


def options_of(lane):
    reliability = "at_least_once" if lane is Lane.DURABLE else "at_most_once"
    return DeliveryOptions(reliability=reliability, timeout_ms=TIMEOUT_MS)


class Flow(RuleBasedStateMachine):
    """Two clients and seven agents that pass on what they get to whom the graph says, until its hops are used up."""

    def __init__(self, make_runtime, encodings):
        super().__init__()
        self.edges = defaultdict(list)
        self.failing, self.numbers, self.newest = Counter(), Counter(), Counter()
        self.tasks, self.wrong = [], []
        self.runtime = make_runtime(self.work, SHARDS, effects_on_disk_mib=2, receiver_on_disk_mib=1)
        names = [f"agent {n}" for n in range(AGENTS)]
        self.agents = [self.runtime.deploy(name, encodings.whole, 1 + n % 4 * 2) for n, name in enumerate(names)]
        self.clients = [self.runtime.connect() for _ in range(2)]
        self.runtime.settle()

    # What agents do.

    def work(self, agent, given):
        me = agent.agent_id
        if self.failing[me]:
            self.failing[me] -= 1
            raise Trap(TrapReason.UNREACHABLE, "as planned")
        asked = msgspec.msgpack.decode(given)
        if asked["performative"] == "failure":
            return None
        hops, copies, size, lane, number, _ = msgspec.msgpack.decode(asked["content"])
        if number is not None:
            self.look_at_order(asked["sender"], me, lane, number)
        messages = [] if asked.get("reply_with") is None else [{"content": b"reply"}]
        if hops:
            messages += [
                self.step(me, to, hops - 1, copies, size, lane) for to in self.edges[me] for _ in range(copies)
            ]
        return msgspec.msgpack.encode({"messages": messages[:256]})

    def step(self, me, to, hops, copies, size, lane):
        pair = me, to, lane
        self.numbers[pair] += 1
        content = msgspec.msgpack.encode((hops, copies if hops > 2 else 1, size, lane, self.numbers[pair], bytes(size)))
        return {"receiver": to, "content": content}

    def look_at_order(self, sender, me, lane, number):
        """Of a pair and lane the next is newer; only a durable one may come again, after a trap."""
        before = self.newest[sender, me, lane]
        if number < before + (lane == "volatile"):
            self.wrong.append(f"{lane} message {number} of a pair came after {before}")
        self.newest[sender, me, lane] = number

    # What happens.

    @rule(sender=AGENT, receiver=AGENT)
    def agents_are_joined(self, sender, receiver):
        receivers = self.edges[self.agents[sender]]
        if len(receivers) < 3:
            receivers.append(self.agents[receiver])

    @rule(agents=st.lists(AGENT, min_size=1, max_size=4))
    def agents_form_a_circle(self, agents):
        for sender, receiver in zip(agents, [*agents[1:], agents[0]], strict=True):
            self.agents_are_joined(sender=sender, receiver=receiver)

    @rule(who=WHO, agent=AGENT, hops=HOPS, count=st.sampled_from([1, 3, 20]), lane=LANE, asks=st.booleans(), of=OF)
    def a_client_begins(self, who, agent, hops, count, lane, asks, of):
        content = msgspec.msgpack.encode((hops, *of, lane.name.lower(), None, b""))
        messages = [Message(self.agents[agent], content, delivery_options=options_of(lane)) for _ in range(count)]
        client = self.clients[who]
        sends = client.request_many if asks else client.send_batch

        async def end():
            try:
                await sends(messages, timeout_s=PATIENT_S)
            except CaxtonError as error:
                return error

        self.tasks.append(self.runtime.loop.create_task(end()))
        self.runtime.settle()

    @rule(ticks=st.sampled_from([1, 3, 12]))
    def time_goes_by(self, ticks):
        self.runtime.ticks(ticks)

    @rule(agent=AGENT)
    def an_agent_is_paused_or_resumed(self, agent):
        agent_id = self.agents[agent]
        if self.runtime.seat_of(agent_id).worker is not None:
            self.runtime.pause_or_resume(agent_id)
            self.runtime.settle()

    @rule(agent=AGENT, turns=st.integers(1, 6))
    def an_agent_will_trap(self, agent, turns):
        self.failing[self.agents[agent]] = turns

    @rule(kinds=st.sampled_from([set(), {"control"}]))
    def frames_are_lost(self, kinds):
        self.runtime.net.loses = set(kinds)

    @rule(shard=SHARD, ticks=st.integers(0, 3))
    def a_worker_is_killed(self, shard, ticks):
        self.runtime.kill(shard)
        for pair in [pair for pair in self.newest if self.runtime.table.shard_of(pair[1]) == shard]:
            del self.newest[pair]
        self.runtime.ticks(ticks)

    @precondition(lambda self: any(seat.worker is None for seat in self.runtime.seats))
    @rule(told=st.booleans())
    def workers_are_started(self, told):
        self.runtime.start(told=told)  # others may hear of it from its first frame
        self.runtime.settle()

    @rule(shard=SHARD, stop=st.booleans())
    def a_worker_stands_still_or_goes_on(self, shard, stop):
        self.runtime.seats[shard].stop_or_go_on(stop=stop)
        self.runtime.settle()

    # What always holds.

    @invariant()
    def nothing_is_beyond_its_bound(self):
        for seat in self.runtime.seats:
            if seat.shard is not None:
                self.look_at_bounds(seat.shard)

    def look_at_bounds(self, shard):
        dispatcher, peers = shard.dispatcher, shard.peers
        assert dispatcher.effects <= MOST_IN_ALL + HEAVIEST
        for agent in shard.registry.agents.values():
            if agent.mailbox is not None:
                assert agent.mailbox.weight <= OF_ONE + HEAVIEST
                assert sum(len(queue.roots) for _, queue in agent.mailbox.queues()) <= agent.mailbox.capacity
        assert shard.durable.disk.weight <= ON_DISK + HEAVIEST
        for number in range(SHARDS):
            assert shard.backlogs.weight(number) <= OF_LINK + HEAVIEST * 64
        for target, outbox in shard.durable.outboxes.by_target.items():
            assert target >= SHARDS or outbox.messages <= OUTBOX
        for peer in peers.by_number.values():
            assert peer.is_session or peer.link.outgoing.outstanding <= 64 + FIRST_STORED

    @invariant()
    def what_is_counted_is_there(self):
        for seat in self.runtime.seats:
            if seat.shard is not None:
                self.look_at_counts(seat.shard)

    @staticmethod
    def look_at_counts(shard):
        dispatcher, begun, resting = shard.dispatcher, Counter(), Counter()
        for agent in shard.registry.agents.values():
            for _, queue in agent.mailbox.queues() if agent.mailbox is not None else ():
                for entry in queue.effects or ():
                    (resting if agent.mailbox.held else begun)[entry[5]] += weight(len(entry[0].content))
        assert dispatcher.effects == begun.total() + resting.total()
        for waiting in shard.backlogs._waiting.values():
            for message, _, origin in waiting:
                resting[origin] += weight(len(message.content))
        assert (dispatcher.begun, dispatcher.resting) == (begun, resting)

    @invariant()
    def who_can_run_has_run(self):
        """Time stands still, so whoever is ready has had all turns that there are."""
        assert not self.wrong, self.wrong
        for seat in self.runtime.seats:
            if seat.shard is not None and not seat.stands_still:
                assert seat.shard.dispatcher.idle
                for agent in seat.shard.registry.agents.values():
                    assert self.has_reason_to_wait(seat.shard, agent) or not any(agent.mailbox.lines())

    @staticmethod
    def has_reason_to_wait(shard, agent):
        if agent.holds or agent.mailbox is None:
            return True
        effects = any(queue.effects for _, queue in agent.mailbox.queues())
        return not effects and shard.dispatcher.far.keeps_back(agent.agent_id)

    # What has to follow.

    def teardown(self):
        try:
            self.all_goes_on()
        finally:
            self.end()

    def all_goes_on(self):
        runtime = self.runtime
        self.failing.clear()
        runtime.net.loses = set()
        runtime.start()
        for seat in runtime.seats:
            seat.stop_or_go_on(stop=False)
        for agent_id in self.agents:
            runtime.pause_or_resume(agent_id, resume=True)
        readers = [runtime.loop.create_task(read_all(client)) for client in self.clients]
        assert runtime.ticks(LONGEST_WAIT, self.all_is_done), (self.what_is_kept(), self.tasks)
        self.nothing_is_beyond_its_bound()
        self.what_is_counted_is_there()
        self.everybody_answers()
        for reader in readers:
            reader.cancel()

    def all_is_done(self):
        return all(task.done() for task in self.tasks) and not self.what_is_kept()

    def everybody_answers(self):
        content = msgspec.msgpack.encode((0, 1, 0, "", None, b""))
        asked = [
            self.runtime.loop.create_task(client.request(agent_id, content, options=options_of(lane)))
            for client in self.clients
            for agent_id in self.agents
            for lane in Lane
        ]
        self.runtime.ticks(5 * SECOND, lambda: all(task.done() for task in asked))
        for task in asked:
            assert task.done(), self.what_is_kept()
            assert task.exception() is None

    def what_is_kept(self):
        kept = {}
        for seat in self.runtime.seats:
            shard, number = seat.shard, seat.number
            for agent in shard.registry.agents.values():
                kept[agent.manifest.name] = agent.busy
            dispatcher = shard.dispatcher
            kept[f"effects of {number}"] = dispatcher.effects
            kept[f"origins of {number}"] = {**dispatcher.begun, **dispatcher.resting}
            kept[f"on disk of {number}"] = shard.durable.disk.messages, shard.durable.disk.weight
            kept[f"backlog of {number}"] = shard.backlogs.messages
            kept[f"breakers of {number}"] = len(shard.durable.attempts.broken)
            kept[f"retries of {number}"] = len(shard.durable.retries)
            kept[f"unfinished of {number}"] = shard.durable.journal.unfinished
            outboxes = shard.durable.outboxes.by_target
            kept[f"outboxes of {number}"] = sum(outbox.messages for outbox in outboxes.values())
        return {name: value for name, value in kept.items() if value and value != (0, 0)}

    def end(self):
        for task in self.tasks:
            task.cancel()
        self.runtime.settle()
        self.runtime.close()
        for task in asyncio.all_tasks(self.runtime.loop):
            task.cancel()
        self.runtime.run(self.runtime.turn())


async def read_all(client):
    async for _ in client._open().answers.inbox:
        pass


@pytest.fixture
def small_bounds(monkeypatch):
    """Every bound of what waits, small enough to be met."""
    for name, value in {
        "queues.admission.OF_ONE": OF_ONE,
        "queues.admission.MOST_EFFECTS": MOST_EFFECTS,
        "queues.admission.MOST_IN_ALL": MOST_IN_ALL,
        "queues.admission.OF_LINK": OF_LINK,
        "queues.admission.OF_ONE_STORED": 12,
        "queues.admission.OF_ONE_AT_REST": 4,
        "queues.admission.TO_DISK": 45,
        "durable.disk.OF_ONE_AT_REST": 4,
        "durable.disk.FROM_DISK": 22,
        "durable.disk.OF_READ": 8,
        "durable.disk.QUANTUM": 2,
        "composition.OF_MIB": ON_DISK // 2,
        "queues.bounds.IN_LINE": 16,
        "queues.dispatcher.IN_LINE": 16,
        "queues.bounds.SOME": 8,
        "queues.bounds.MUCH": 24,
        "agents.mailbox.OVERSHOOT": OF_ONE,
        "loop.shard.MOST_EFFECTS": MOST_EFFECTS,
        "loop.shard.MOST_QUEUED": 60,
        "durable.routes.MOST_UNREAD": OUTBOX,
        "peers.peers.WORKER_POOL": POOL,
    }.items():
        monkeypatch.setattr(f"workers.{name}", value)


@pytest.mark.hypothesis
@pytest.mark.usefixtures("small_bounds")
def test_graphs_of_agents_end_within_their_bounds(make_runtime, encodings):
    """Whatever a graph sends and whoever traps, rests, stands still or dies, bounds hold and nothing waits for ever."""
    run_state_machine_as_test(
        lambda: Flow(make_runtime, encodings),
        settings=settings(
            max_examples=max(1, settings().max_examples // 25),
            stateful_step_count=15,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
