"""How long commits take, and since when durable messages wait."""

from time import monotonic_ns

from caxton.store import books
from workers.agents.registry import Hold


def test_a_commit_counts_once(make_shard, make_far, durable_message, converse):
    """However many messages are in it; and a durable message waits since the pass that placed it."""
    shard = make_shard(durable=True)
    client = make_far(shard.sessions[0], shard)
    agent = shard.agent(1)
    agent.hold(Hold.PAUSED)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(5)))
    converse(shard, client)
    waits = [entry[4].since_ns for entry in agent.mailbox.normal.roots]
    assert all(abs(since_ns - monotonic_ns()) < 60 * 10**9 for since_ns in waits)
    commits = books.read(shard.path).counters["commits"]

    assert sum(books.read(shard.path).histograms["commit"]) == commits > 0
