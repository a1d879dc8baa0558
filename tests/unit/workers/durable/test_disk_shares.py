"""What each principal has of a shard's disk, while others are here."""

import pytest

from caxton.acl.envelope import Cause
from workers.agents.registry import Hold


@pytest.fixture
def disk(make_shard, monkeypatch):
    """A shard whose disk takes twenty effects, and whose memory keeps two of an agent without turns."""
    for name in ("queues.admission", "durable.disk"):
        monkeypatch.setattr(f"workers.{name}.OF_ONE_AT_REST", 2)
    durable = make_shard(durable=True)
    durable.durable.disk.shares.most = 20
    alice, bob, *_ = durable.sessions
    durable.principals |= {alice: "alice", bob: "bob"}
    for session in (alice, bob):
        durable.peers.known(session, durable.marks.mark(session, durable.principals[session]))
    return durable


@pytest.fixture
def send(durable_message):
    """A function that lets effects of a principal's message wait for an agent; returns how many more are on disk.

    refused: whose shares there was no room in.
    """

    def sent(shard, agent, count, principal):
        placing, shares = shard.durable.placing, shard.durable.disk.shares
        before = shares.has(principal)
        for n in range(count):
            message = durable_message(5 << 10, agent.agent_id, content=bytes([n]), cause=Cause(1, bytes(16), principal))
            error = placing.from_agent(agent, message, (0, 0), shard.worker._passes.present)
            sent.refused += [] if error is None else [error.receiver]
        shard.work()
        return shares.has(principal) - before

    sent.refused = []
    return sent


def test_a_principal_has_a_share_of_the_disk(disk, send, restart):
    """From half of a shard's disk on what follows from a principal's messages is refused; others find their share."""
    agent = disk.agent(1)
    agent.hold(Hold.PAUSED)
    assert send(disk, agent, 14, "alice") == 10
    assert send.refused == ["principal alice, of this shard's disk"] * 2
    assert send(disk, agent, 9, "bob") == 5
    assert disk.counts()["full_principal"] == 2 + 4

    heir = restart(disk)
    shares = heir.durable.disk.shares
    assert shares.has("alice") + shares.has("bob") == shares.total == heir.durable.disk.weight
    agent = heir.registry.find(agent.agent_id)
    agent.release(Hold.PAUSED)
    heir.dispatcher.resume(agent)
    heir.work()
    assert (shares.has("alice"), shares.has("bob"), shares.total) == (0, 0, 0)
