"""Calls that look through much, and the loop, the commits and the callers beside them."""

import asyncio

import pytest

from caxton.errors import ShardUnavailable
from caxton.wire.calls import AskDeadLetterStats, AskLedger, DeadLetterFilter, Failed, ListDeadLetters
from caxton.wire.codec import CONTROL
from caxton.wire.control import Call
from caxton.wire.kept import FindMessage, ListKept
from caxton.wire.shard_ledger import ShardLedger
from workers.agents.registry import Hold
from workers.loop.call_line import CallLine, Wanted
from workers.loop.calls import Calls
from workers.loop.kept_calls import KeptCalls


@pytest.fixture
def durable(make_shard):
    """A shard with a file."""
    return make_shard(durable=True)


@pytest.fixture
def small_slices(monkeypatch):
    """Walks give way after every four looks."""
    for module in ("call_line", "kept_calls"):
        monkeypatch.setattr(f"workers.loop.{module}.OF_SLICE", 4)


@pytest.fixture
def hoard(durable, message):
    """A paused agent for whom 20 messages wait, and these."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    sent = [message(durable.sessions[0], agent.agent_id) for _ in range(20)]
    durable.frame(durable.sessions[0], sent)
    durable.settle()
    return agent, sent


def answers(shard, requests, checks, beside=None):
    """Answer calls that arrive at once, with something beside them."""

    async def all_of_them():
        calls = KeptCalls(shard.parts, CallLine())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(calls.answer(*asked)) for asked in zip(requests, checks, strict=True)]
            if beside is not None:
                await beside(tasks)
        return [task.result() for task in tasks]

    return shard.runner.run(all_of_them())


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("kind", ["list", "find"])
def test_the_loop_goes_on_while_much_is_looked_through(durable, hoard, one_turn_of_the_loop, kind):
    """After every slice of every walk there is a turn of the loop, for passes and heartbeats."""
    agent, sent = hoard
    request = ListKept(agent.agent_id) if kind == "list" else FindMessage(sent[-1].message_id)
    turns = []

    async def beside(tasks):
        while not all(task.done() for task in tasks):
            durable.settle()
            turns.append(sum(task.done() for task in tasks))
            await one_turn_of_the_loop()

    pages = answers(durable, [request] * 3, [lambda: None] * 3, beside)
    assert [page.messages[-1].envelope.message_id for page in pages] == [sent[-1].message_id] * 3
    assert all(turns.count(done) >= 4 for done in range(3)), turns


def test_clients_have_turns_one_after_the_other(one_turn_of_the_loop):
    """Whoever asks a hundred times at once waits for its own calls: another client's is the next but one."""
    had = []

    async def ask(line, client):
        async with line.turn(Wanted(client, lambda: None)):
            had.append(client)
            await one_turn_of_the_loop()

    async def all_of_them():
        line = CallLine()
        async with asyncio.TaskGroup() as group:
            for client in [1] * 100 + [2] * 3 + [3]:
                group.create_task(ask(line, client))

    asyncio.run(all_of_them())
    assert had[:9] == [1, 1, 2, 3, 1, 2, 1, 2, 1]
    assert had[9:] == [1] * 95


@pytest.mark.parametrize("given", [False, True])
def test_who_leaves_the_line_keeps_nobody_waiting(one_turn_of_the_loop, given):
    """A call that is cancelled while it waits, also when its turn has just been given to it, leaves it to the next."""
    had = []

    async def ask(line, name):
        async with line.turn(lambda: None):
            had.append(name)

    async def all_of_them():
        line = CallLine()
        async with asyncio.TaskGroup() as group:
            async with line.turn(lambda: None):
                leaves = group.create_task(ask(line, "leaves"))
                group.create_task(ask(line, "stays"))
                await one_turn_of_the_loop()
                if not given:
                    leaves.cancel()
                    await one_turn_of_the_loop()
            if given:
                leaves.cancel()
        await ask(line, "comes")

    asyncio.run(all_of_them())
    assert had == ["stays", "comes"]


@pytest.mark.usefixtures("small_slices")
def test_one_walk_follows_the_other(durable, hoard):
    """In the order in which they were asked for, whatever gives way between their slices."""
    agent, _ = hoard
    looked = []
    answers(durable, [ListKept(agent.agent_id)] * 3, [lambda name=name: looked.append(name) for name in "abc"])
    assert looked == sorted(looked)
    assert set(looked) == set("abc")


@pytest.mark.usefixtures("small_slices")
def test_what_changes_meanwhile_breaks_no_walk(durable, hoard, message):
    """Agents and messages may come and go between two slices."""
    agent, sent = hoard

    def change():
        durable.registry.add(durable.agent(len(durable.registry.agents) + 1, enter=False))
        durable.frame(durable.sessions[0], [message(durable.sessions[0], agent.agent_id)])
        durable.settle()
        agent.mailbox.normal.roots.popleft()

    found, page = answers(durable, [FindMessage(sent[-1].message_id), ListKept(agent.agent_id)], [change] * 2)
    assert found.messages[0].state == "waiting"
    assert len(page.messages) == 20


READS = (
    AskLedger(),
    AskDeadLetterStats(),
    ListDeadLetters(DeadLetterFilter(sender=5)),
    FindMessage(bytes(range(16))),
    AskLedger(),
)


class Asking:
    """Calls that one client makes at once. done: what the file did for them and for commits, in order."""

    def __init__(self, shard):
        self.shard, self.done = shard, []
        for name in ("ledger", "dead_letter_stats", "dead_letters", "commit"):
            setattr(shard.store, name, self._told(name, getattr(shard.store, name)))
        self.at_read = lambda: None
        self.peer = shard.peers.known(shard.sessions[0], shard.marks.mark(shard.sessions[0]))

    def _told(self, name, work):
        async def told(*args, **options):
            result = await work(*args, **options)
            self.done.append("commit" if name == "commit" else "read")
            self.at_read()
            return result

        return told

    def ask(self, requests, *, commit=False, timeout_ms=0):
        """Return the answers, in the order of the calls."""
        shard, peer = self.shard, self.peer

        async def at_once():
            async with asyncio.TaskGroup() as group:
                self.calls = Calls(shard.parts, shard.worker._attached, group, shard.worker._passes)
                for number, request in enumerate(requests):
                    self.calls.take(peer, Call(peer.number, peer.their_mark, shard.own, number, request, timeout_ms))
                if commit:
                    group.create_task(shard.worker._committer.commit())

        before = len(peer._control.frames)
        shard.runner.run(at_once())
        told = [CONTROL.decode(frame) for frame in peer._control.frames[before:]]
        return [answer.result for answer in sorted(told, key=lambda answer: answer.call_id)]


@pytest.fixture
def asking(durable):
    """A client that asks a shard with a file."""
    return Asking(durable)


def test_a_commit_waits_for_one_read_at_most(asking):
    """However many calls want to read the file: they stand in line for it one by one, and all are answered."""
    told = asking.ask(READS, commit=True)
    assert asking.done == ["read", "commit", "read", "read", "read", "read"]
    assert not [answer for answer in told if isinstance(answer, Failed)]


def test_who_gave_up_meanwhile_is_passed_over(asking, monkeypatch):
    """What nobody waits for any more is not read when its turn comes."""
    now = [10**15]
    monkeypatch.setattr("workers.loop.calls.monotonic_ns", lambda: now[0])
    asking.at_read = lambda: now.append(now.pop() + 10**9)
    first, *others = asking.ask(READS, timeout_ms=1_000)

    assert isinstance(first, ShardLedger)
    assert [other.error for other in others] == ["Timeout"] * 4
    assert asking.done == ["read"]
    assert not [answer for answer in asking.ask(READS) if isinstance(answer, Failed)], "who names no time waits on"


def test_a_client_that_is_gone_is_passed_over(asking):
    """So calls that it left in the line hold nobody up."""
    asking.at_read = lambda: asking.shard.parts.end_session(asking.peer.number)

    assert asking.ask(READS) == []
    assert asking.done == ["read"]


def test_a_worker_that_leaves_reads_no_more(asking):
    """Calls that stand in line when its drain begins are refused like those that come later, so it ends in time."""
    asking.at_read = lambda: setattr(asking.calls, "draining", True)
    first, *others = asking.ask(READS)

    assert isinstance(first, ShardLedger)
    assert [other.error for other in others] == [ShardUnavailable.__name__] * 4
