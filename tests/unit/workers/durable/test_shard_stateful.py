"""A whole shard with a real file, whose worker is killed again and again: what became of every message."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Encoding
from caxton.config.delivery import DeliverySettings
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter, Ended, Exchange, PurgeDeadLetters, RequeueDeadLetters
from caxton.wire.control import SessionEnded
from workers.loop.call_line import CallLine
from workers.loop.dead_letter_calls import DeadLetterCalls
from workers.sandbox.traps import Trap, TrapReason

OTHER, OTHERS_FILE = 8, 5_000
DELIVERY = DeliverySettings(breaker_threshold=4, breaker_timeout_s=5.0)
ALL = DeadLetterFilter()
WHO = st.integers(0, 2)
FAR = st.integers(0, 2)
# Receivers of what a turn sends: three agents here, one that is attached, one of the other shard, one nobody, sessions.
TO = st.integers(0, 7)
CHILD = st.tuples(TO, st.sampled_from([0, 0, 0, 1, 9]))
PLAN = st.tuples(
    st.integers(0, 4),  # to which agent of this shard; 4 is nobody
    st.sampled_from([0, 0, 0, 0, 1, 2, 9]),  # so many of its turns trap
    st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4]),  # so many workers die in its turns
    st.lists(CHILD, max_size=3),
    st.sampled_from([30_000, 30_000, 500]),
)


class Killed(BaseException):
    """The end of the worker, in the middle of a turn."""


class World(RuleBasedStateMachine):
    """Every message has a number. A guest's state is the numbers it handled.

    So what is committed of a turn is told twice: by the state of its agent, and by what it sent.
    """

    def __init__(self, rooms):
        super().__init__()
        self.rooms = rooms
        self.clocks, self.converse, self.ask = rooms.clocks, rooms.converse, rooms.ask
        self.message = rooms.message
        self.shard = rooms.make_shard(durable=True, shards=2, delivery=DELIVERY)
        self.shard.recover()
        self.agents = [self.shard.agent(n + 1, capacity=40).agent_id for n in range(3)]
        attached = self.shard.agent(4, encoding=Encoding.ATTACHED, capacity=40)
        attached.hold(16)
        self.attached = attached.agent_id
        self.receivers = [*self.agents, self.attached, (9 << 10), (7 << 10) | 1, *self.shard.sessions[:2]]
        self.fars = [rooms.make_far(number) for number in self.shard.sessions[:2]]
        self.fars.append(rooms.make_far(OTHER, file=OTHERS_FILE))
        self.shard.turns.work = self.work
        for far in self.fars:
            far.meet(self.shard)
        self.ended = set()
        self.plans = {}
        self.roots = {}
        self.sender, self.receiver = {}, {}
        self.tries, self.kills = Counter(), Counter()
        self.handed = {}
        self.attached_done = []
        self.purged = []
        self.requeued = set()
        self.stopped = set()

    # What agents do.

    def child(self, sender, to, traps):
        number = len(self.plans) + 1
        self.plans[number] = {"traps": traps, "kills": 0, "children": []}
        self.sender[number] = sender
        self.receiver[number] = self.receivers[to]
        return {"receiver": self.receivers[to], "content": number.to_bytes(4)}

    def work(self, agent, given):
        number = int.from_bytes(msgspec.msgpack.decode(given)["content"][:4])
        plan = self.plans.get(number)
        if plan is None:  # a failure
            return None
        if self.kills[number] < plan["kills"]:
            self.kills[number] += 1
            raise Killed
        if self.tries[number] < plan["traps"]:
            self.tries[number] += 1
            raise Trap(TrapReason.UNREACHABLE, "as planned")
        handled = msgspec.msgpack.decode(agent.saved) if agent.saved else []
        assert number not in handled, "no effect is there twice"
        return msgspec.msgpack.encode(
            {
                "messages": [{"receiver": c["receiver"], "content": c["content"]} for c in plan["children"]],
                "state": msgspec.msgpack.encode([*handled, number]),
            }
        )

    # What happens.

    @rule(which=FAR, plans=st.lists(PLAN, min_size=1, max_size=6))
    def a_peer_sends(self, which, plans):
        far = self.fars[which]
        if far.number in self.ended:
            return
        sender = far.number if which < 2 else (5 << 10) | 1
        for to, traps, kills, children, timeout_ms in plans:
            number = len(self.plans) + 1
            plan = self.plans[number] = {"traps": traps, "kills": kills, "children": []}
            self.sender[number] = sender
            plan["children"] = [self.child(self.receivers[to], *child) for child in children if to < 3]
            self.roots[number] = (which, len(far.messages) + 1)
            far.send(self.message(sender, self.receivers[to], content=number.to_bytes(4), timeout_ms=timeout_ms))

    @rule(which=FAR, most=st.sampled_from([1, 3, 64]))
    def a_peer_speaks(self, which, most):
        far = self.fars[which]
        if far.number not in self.ended:
            far.listen()
            far.push(most)
            far.tell()

    @rule(which=FAR)
    def what_a_peer_was_sent_is_lost(self, which):
        peer = self.shard.peers.find(self.fars[which].number)
        if peer is not None:
            self.fars[which].read = [len(peer._control.frames), len(peer._data.frames)]

    @rule(some=st.booleans())
    def what_comes_is_lost(self, some):
        while self.shard.data.frames and (some := not some):
            self.shard.data.frames.popleft()

    @rule()
    def a_pass(self):
        try:
            self.shard.step()
        except Killed:
            self.restart(self.shard.turns._note)

    @rule()
    def a_commit(self):
        self.shard.commit()

    @rule()
    def what_waits_on_disk_is_read(self):
        self.shard.page()

    @rule(seconds=st.sampled_from([0.2, 1, 6]))
    def time_goes_by(self, seconds):
        self.clocks.wait(seconds)
        try:
            self.shard.worker._tick()
            self.shard.step()
        except Killed:
            self.restart(self.shard.turns._note)

    @rule(written=st.booleans())
    def the_worker_is_killed(self, written):
        if written:
            closed = self.shard.durable.journal.close(self.shard.durable.outboxes.of)
            self.shard.runner.run(self.shard.store.commit(closed.commit))
        self.restart(None)

    def restart(self, cells):
        note = None if cells is None else tuple(cells)
        living = [far for far in self.fars if far.number not in self.ended]
        self.handed.clear()
        self.shard = self.rooms.restart(self.shard, *living, note=note, shards=2, delivery=DELIVERY)

    @rule(who=WHO)
    def an_agent_is_paused_or_resumed(self, who):
        agent = self.shard.registry.find(self.agents[who])
        if agent.state is AgentState.RUNNING:
            self.shard.runner.run(self.shard.lifecycle.pause(agent.agent_id))
        elif agent.state in {AgentState.PAUSED, AgentState.FAILED}:
            self.shard.runner.run(self.shard.lifecycle.resume(agent.agent_id))

    @precondition(lambda self: not self.stopped)
    @rule(dice=st.integers(0, 9))
    def an_agent_is_stopped(self, dice):
        if dice == 0:
            self.stopped.add(self.agents[2])
            self.shard.runner.run(self.shard.lifecycle.stop(self.agents[2]))

    @rule()
    def a_client_attaches_or_detaches(self):
        agent = self.shard.registry.find(self.attached)
        if agent.attached:
            self.handed.clear()
            self.shard.worker._attached.detach(agent.attached, self.attached)
        elif self.fars[0].number not in self.ended:
            self.shard.worker._attached.attach(self.fars[0].number, agent)

    @rule(ends=st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.lists(TO, max_size=2))), most=st.integers(0, 3))
    def a_client_exchanges(self, ends, most):
        session = self.fars[0].number
        if self.shard.registry.find(self.attached).attached != session:
            return
        given, ended, done = dict(self.handed), [], []
        for place, fails, to in ends:
            if place < len(given):
                delivery = list(given)[place]
                number = given.pop(delivery)
                children = [] if fails else [self.child(self.attached, one, 0) for one in to]
                messages = [self.message(0, c["receiver"], content=c["content"]) for c in children]
                ended.append(Ended(delivery, messages, "as planned" if fails else None))
                if not fails:
                    done.append((number, children))
        asked = Exchange(self.attached, ended, most, 0)
        answer = self.ask(self.shard, self.shard.worker._attached.exchange(session, asked))
        assert not answer.not_sent
        for number, children in done:
            self.attached_done.append(number)
            self.plans.get(number, {})["children"] = children
        self.handed = {d.delivery: int.from_bytes(d.message.content[:4]) for d in answer.deliveries}

    @rule(dice=st.integers(0, 9))
    def a_client_ends(self, dice):
        if dice == 0 and self.fars[1].number not in self.ended:
            self.ended.add(self.fars[1].number)
            self.shard.gone.add(self.fars[1].number)
            self.shard.say(SessionEnded(0, self.shard.marks.mark(0), self.fars[1].number))

    @rule(purged=st.booleans())
    def dead_letters_go(self, purged):
        calls = DeadLetterCalls(self.shard.parts, self.shard.worker._passes, CallLine())
        if purged:
            before = Counter(self.letters())
            self.ask(self.shard, calls.answer(PurgeDeadLetters(ALL), lambda: None))
            self.purged += list((before - Counter(self.letters())).elements())
        else:
            for number in self.letters():
                self.requeued.add(number)
                self.tries[number] = self.kills[number] = 9
            self.ask(self.shard, calls.answer(RequeueDeadLetters(ALL), lambda: None))

    # What always holds.

    def letters(self):
        rows, _ = self.shard.runner.run(self.shard.store.letters_with_messages(ALL, 500))
        messages = [msgspec.msgpack.decode(row.message) for row in rows]
        return [int.from_bytes(m[4][:4]) for m in messages if int.from_bytes(m[4][:4]) in self.plans]

    @invariant()
    def the_books_balance(self):
        ledger = check([self.shard.ledger()])
        assert ledger.balanced, ledger.whole.problems

    def teardown(self):
        self.shard.turns.work = self.work
        # One by one: what waits for an agent whose breaker is open does not expire, and is tried when it may be closed,
        # the last ones after 375 s each, so that it takes an hour or two here.
        for rounds in range(6_000):
            if rounds >= 60 and not self.shard.ledger().pending:
                break
            for agent_id in self.agents:
                agent = self.shard.registry.find(agent_id)
                if agent.state in {AgentState.PAUSED, AgentState.FAILED}:
                    self.shard.runner.run(self.shard.lifecycle.resume(agent_id))
            try:
                self.talk()
            except Killed:
                self.restart(self.shard.turns._note)
            self.clocks.wait(2)
        self.the_books_balance()
        self.everybody_is_somewhere()
        self.shard.close()

    def talk(self):
        self.shard.worker._tick()
        self.converse(self.shard, *(far for far in self.fars if far.number not in self.ended))
        agent = self.shard.registry.find(self.attached)
        if self.fars[0].number not in self.ended:
            self.shard.worker._attached.attach(self.fars[0].number, agent)
            for _ in range(3):
                self.exchange_all()

    def exchange_all(self):
        session = self.fars[0].number
        ended = [Ended(delivery) for delivery in self.handed]
        answer = self.ask(
            self.shard, self.shard.worker._attached.exchange(session, Exchange(self.attached, ended, 200, 0))
        )
        self.attached_done += self.handed.values()
        self.handed = {d.delivery: int.from_bytes(d.message.content[:4]) for d in answer.deliveries}

    def everybody_is_somewhere(self):
        assert self.shard.ledger().pending == 0
        fates = Counter(self.letters()) + Counter(self.purged)
        handled = defaultdict(list)
        for agent_id in self.agents:
            saved = self.shard.registry.find(agent_id).saved
            handled[agent_id] = msgspec.msgpack.decode(saved) if saved else []
        taken = Counter(int.from_bytes(m.content[:4]) for far in self.fars for m in far.got)
        done = Counter(n for numbers in handled.values() for n in numbers) + Counter(self.attached_done)
        exists = {n for n, (which, at) in self.roots.items() if at <= self.fars[which].acknowledged}
        exists -= {n for n, (which, at) in self.roots.items() if at in self.fars[which].refused}
        for number in done:
            exists |= {int.from_bytes(c["content"]) for c in self.plans.get(number, {"children": []})["children"]}
        for number in self.plans:
            found = [fates[number], taken[number], done[number]]
            # What a client took before it ended may be a dead letter too: nobody heard that it took it.
            most = [1, 1, 0] if self.receiver.get(number) in self.ended else [1, 1, 1]
            assert sum(found) <= 1 or found == most == [1, 1, 0], f"{number} is dead, taken, done: {found}"
            assert sum(found) or number not in exists, f"{number} is nowhere"
        for numbers in handled.values():
            for sender in {self.sender[n] for n in self.roots}:
                # What was sent again from the dead letters comes when it comes.
                theirs = [n for n in numbers if self.sender[n] == sender and n not in self.requeued]
                assert theirs == sorted(theirs), f"{theirs} from {sender:x} are not in order"


@pytest.fixture
def rooms(clocks, converse, ask, durable_message, make_shard, make_far, restart):
    """What a world is made of."""
    return SimpleNamespace(
        clocks=clocks,
        converse=converse,
        ask=ask,
        message=durable_message,
        make_shard=make_shard,
        make_far=make_far,
        restart=restart,
    )


@pytest.fixture(params=["as it is", "little"])
def memory(request, monkeypatch):
    """As it is, or so little that it keeps two effects of an agent, and most of what waits does so on disk."""
    small = {
        "queues.admission.OF_ONE_STORED": 2,
        "queues.admission.OF_ONE_AT_REST": 2,
        "queues.admission.TO_DISK": 4,
        "durable.disk.OF_ONE_AT_REST": 1,
        "durable.disk.FROM_DISK": 2,
        "durable.disk.OF_READ": 4,
        "durable.disk.QUANTUM": 1,
        "durable.paging.READ_BYTES": 1,
        "operations.lifecycle.MOST_AT_ONCE": 0,
    }
    for name, value in small.items() if request.param == "little" else ():
        monkeypatch.setattr(f"workers.{name}", value)


@pytest.mark.hypothesis
@pytest.mark.usefixtures("memory")
def test_what_is_acknowledged_is_somewhere(rooms):
    """Whatever is sent, killed, paused, attached, lost and requeued: every acknowledged message has one end."""
    run_state_machine_as_test(
        lambda: World(rooms),
        settings=settings(
            max_examples=max(1, settings().max_examples // 4),
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
