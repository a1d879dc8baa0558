import asyncio

import pytest

from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Manifest
from caxton.errors import AgentNotRunning, StorageFull
from caxton.testing import eventually
from caxton.wire.audit import ReadAudit
from caxton.wire.calls import (
    AskDeadLetterStats,
    Attach,
    DeadLetterFilter,
    Deploy,
    Exchange,
    Failed,
    Inspect,
    PauseAgent,
    PurgeDeadLetters,
    RemoveAgents,
    RequeueDeadLetters,
    ResumeAgent,
    StopAgent,
)
from caxton.wire.codec import CONTROL
from caxton.wire.control import Call, SessionEnded
from workers.loop.calls import Calls

DEADLINE_S = 30


class Group:
    """A task group whose tasks the test awaits."""

    def __init__(self):
        self.tasks = []

    def create_task(self, task):
        self.tasks.append(asyncio.get_running_loop().create_task(task))

    async def ended(self):
        await asyncio.gather(*self.tasks)


@pytest.fixture
def group():
    return Group()


@pytest.fixture
def calls(shard, group):
    return Calls(shard.parts, shard.worker._attached, group, shard.worker._passes)


def attach(shard, calls, session, name):
    peer = shard.peers.known(session, shard.marks.mark(session))
    calls.take(peer, Call(session, peer.their_mark, shard.own, 1, Attach(name)))
    return peer


def test_nobody_attaches_for_a_client_that_is_gone(shard, calls, group):
    """A client that ends while its new agent is being stored leaves an agent that the next client can attach."""
    gone, other = shard.sessions[:2]

    async def both():
        attach(shard, calls, gone, "recorder")
        shard.say(SessionEnded(0, shard.marks.mark(0), gone))
        await group.ended()
        peer = attach(shard, calls, other, "recorder")
        await group.ended()
        return peer

    peer = shard.runner.run(both())
    (agent,) = shard.registry.agents.values()
    assert agent.attached == other
    assert not isinstance(CONTROL.decode(peer._control.frames[-1]).result, Failed)


def test_an_agent_that_was_stopped_is_not_attached(shard, calls, group):
    """It gets no message ever again, so who attaches it would wait for ever."""

    async def both():
        attach(shard, calls, shard.sessions[0], "recorder")
        await group.ended()
        (agent,) = shard.registry.agents.values()
        await shard.lifecycle.stop(agent.agent_id)
        peer = attach(shard, calls, shard.sessions[0], "recorder")
        await group.ended()
        return peer

    peer = shard.runner.run(both())
    assert CONTROL.decode(peer._control.frames[-1]).result.error == AgentNotRunning.__name__


def test_a_program_that_waits_is_told_that_its_agent_has_drained(shard, calls, group):
    """Its question would be open for much longer than it takes to answer it."""

    async def waits():
        return shard.worker._attached._questions._waiting

    async def told():
        peer = attach(shard, calls, shard.sessions[0], "recorder")
        await group.ended()
        (agent,) = shard.registry.agents.values()
        question = Exchange(agent.agent_id, [], 5, 10 * DEADLINE_S * 1_000)
        calls.take(peer, Call(shard.sessions[0], peer.their_mark, shard.own, 2, question))
        await eventually(waits)
        await shard.lifecycle.drain(agent.agent_id)
        calls.stop_drained()
        async with asyncio.timeout(DEADLINE_S):
            await group.ended()
        return peer

    peer = shard.runner.run(told())
    assert CONTROL.decode(peer._control.frames[-1]).result.error == AgentNotRunning.__name__


def test_a_full_disk_does_not_end_the_worker_of_a_drained_agent(shard, calls, group):
    """An agent that is drained while its state cannot be stored stays draining, and stops when there is room."""
    agent = shard.agent(1)

    async def drained():
        await shard.lifecycle.drain(agent.agent_id)
        for shard.stored.broken in (True, False):
            calls.stop_drained()
            await group.ended()
            yield agent.state

    async def states():
        return [state async for state in drained()]

    assert shard.runner.run(states()) == [AgentState.DRAINING, AgentState.STOPPED]
    assert not shard.lifecycle.draining


ID = 1 << 10


def answers_of(shard, calls, group, *requests):
    """The answers to calls of one session, in order."""
    session = shard.sessions[0]
    peer = shard.peers.known(session, shard.marks.mark(session))

    async def all_of_them():
        for number, request in enumerate(requests):
            calls.take(peer, Call(session, peer.their_mark, shard.own, number, request))
        await group.ended()

    shard.runner.run(all_of_them())
    return [CONTROL.decode(frame).result for frame in peer._control.frames[-len(requests) :]]


CHANGES = (
    Deploy([Manifest("new", bytes(32))]),
    Attach("other"),
    StopAgent(ID),
    RemoveAgents([ID]),
    PauseAgent(ID),
    ResumeAgent(ID),
    RequeueDeadLetters(DeadLetterFilter()),
    PurgeDeadLetters(DeadLetterFilter()),
)


def test_while_the_disk_is_full_changes_are_refused_at_once(make_shard, group):
    """What would have to be stored is StorageFull without a try; questions are answered."""
    shard = make_shard(durable=True)
    shard.agent(1)
    calls = Calls(shard.parts, shard.worker._attached, group, shard.worker._passes)
    shard.durable.greetings.close("no room")
    *refused, view, stats = answers_of(shard, calls, group, *CHANGES, Inspect(ID), AskDeadLetterStats())

    assert [told.error for told in refused] == ["StorageFull"] * len(CHANGES)
    assert refused[0].fields == {"path": "shard 0", "problem": "no room"}
    assert (view.state, stats.total) == ("running", 0)


def test_a_change_that_meets_a_full_disk_lets_a_commit_see_it(make_shard, group):
    """So that whoever sends is told, and health too, although nobody has sent anything."""
    shard = make_shard(durable=True)
    shard.agent(1)
    calls = Calls(shard.parts, shard.worker._attached, group, shard.worker._passes)

    async def full(*_):
        raise StorageFull("shard-0.db", "no room")

    shard.stored.set_state = full
    (refused,) = answers_of(shard, calls, group, PauseAgent(ID))
    assert refused.error == "StorageFull"
    assert shard.durable.journal.urgent


def test_a_call_is_done_for_who_made_it_also_when_its_session_has_ended(make_shard, group, one_turn_of_the_loop):
    """A client that says good-bye right behind its calls stands in the audit itself, and nobody else in its place."""
    shard = make_shard(durable=True)
    session, agents = shard.sessions[0], [shard.agent(1), shard.agent(2)]
    shard.principals[session] = "token:7"
    mark = shard.marks.mark(session, "token:7")
    requests = [PauseAgent(agents[0].agent_id), RemoveAgents([agents[1].agent_id]), Attach("new")]

    async def told():
        shard.worker._calls = calls = Calls(shard.parts, shard.worker._attached, group, shard.worker._passes)
        frames = [Call(session, mark, shard.own, n, request) for n, request in enumerate(requests)]
        for frame in [*frames, SessionEnded(0, shard.marks.mark(0), session)]:
            shard.control.frames.append(bytes(CONTROL.encode(frame)))
        shard.worker._take_control()
        assert calls.under_way == len(requests)
        assert shard.peers.find(session) is None
        while not all(task.done() for task in group.tasks):
            await one_turn_of_the_loop()
            if shard.durable.journal.urgent:
                await shard.worker._committer.commit()
        return (await shard.store.audit(ReadAudit())).rows

    rows = shard.runner.run(told())
    done = sorted((row.action, row.principal) for row in rows if row.principal or row.action != "deploy")
    assert done == [("deploy", "token:7"), ("pause", "token:7"), ("remove", "token:7")]
