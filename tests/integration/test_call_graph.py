"""Who talks to whom in a runtime of two shards, by the client, the command line, HTTP and from another machine."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import caxton
import caxton.guests
from caxton.errors import CaxtonError, ValidationError
from caxton.testing import eventually
from caxton.testing import runtime as serve

GUESTS = Path(caxton.guests.__file__).parent
CAXTON = [sys.executable, "-P", "-m", "caxton"]


@pytest.fixture(scope="module")
def runtime():
    """Two shards, with an agent that passes on what it is told, and one that fails."""
    with serve(workers=2, options=["--http", "127.0.0.1:0"]) as served:
        yield served


@pytest.fixture(scope="module")
def url(runtime):
    return next(event["http"] for event in runtime.events if event["event"] == "ready")


@pytest.fixture
async def client(runtime):
    async with runtime.connect() as client:
        yield client


@pytest.fixture
async def talk(client):
    """Messages that go on while a test asks: from clients to a gateway of four, to an echo, and to who fails."""
    talkers = {}

    async def pass_on(delivered):
        return [caxton.Message(client.id_of(f"graph-{place}"), delivered.message.content) for place in range(4)]

    async def fail(_):
        raise RuntimeError("no")

    async with contextlib.AsyncExitStack() as open_until:
        for place in range(4):
            talkers[place] = await client.deploy(f"graph-{place}", GUESTS / "echo.wasm")
        await open_until.enter_async_context(client.attach("graph-hub", pass_on))
        await open_until.enter_async_context(client.attach("graph-broken", fail))

        async def send_for_ever():
            while True:
                await client.request("graph-0", b"x")
                await client.send("graph-hub", b"x", options=caxton.DeliveryOptions(reliability="at_most_once"))
                with contextlib.suppress(CaxtonError):
                    await client.request("graph-broken", b"x", timeout_s=5)

        task = asyncio.get_running_loop().create_task(send_for_ever())
        yield client
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    for agent in [*talkers.values(), "graph-hub", "graph-broken"]:
        with contextlib.suppress(CaxtonError):
            await client.remove(agent)


def ends(graph):
    """Rates by the names of who sends and who is sent to."""
    return {
        (pair.sender_name, pair.receiver_name): (pair.messages_per_s > 0, pair.failures_per_s > 0)
        for pair in graph.pairs
    }


EXPECTED = {
    ("", "graph-0"): (True, False),
    ("graph-0", ""): (True, False),
    ("", "graph-hub"): (True, False),
    ("graph-hub", "graph-0"): (True, False),
    ("graph-hub", "graph-1"): (True, False),
    ("graph-hub", "graph-2"): (True, False),
    ("graph-hub", "graph-3"): (True, False),
    ("", "graph-broken"): (True, True),
}


async def test_pairs_are_told_with_names_and_failures(talk):
    """Over both shards, also of an agent on the other one; who fails is seen as such."""

    async def whole():
        graph = await talk.call_graph(over_s=0.5)
        return graph if ends(graph).items() >= EXPECTED.items() else None

    graph = await eventually(whole)
    assert graph.missing == []
    assert graph.over_ms >= 500
    with pytest.raises(ValidationError, match="over_s"):
        await talk.call_graph(over_s=11)
    with pytest.raises(ValidationError, match="limit"):
        await talk.call_graph(501)


async def test_from_another_machine_it_is_the_same(talk, url):
    """With names, ids and rates; so are the busiest."""
    token = (await talk.create_token("graph", "viewer")).token

    async with caxton.connect(url, token=token) as remote:

        async def whole():
            graph = await remote.call_graph(over_s=0.5)
            return graph if ends(graph).items() >= EXPECTED.items() else None

        graph = await eventually(whole)
        assert {pair.receiver for pair in graph.pairs if pair.receiver_name == "graph-1"} == {talk.id_of("graph-1")}
        assert "graph-0" in {agent.name for agent in (await remote.busiest(limit=100)).agents}


async def test_the_command_prints_a_table_json_and_a_graph(talk, runtime):
    """The same pairs in each."""

    def run(*words):
        words = [*CAXTON, "graph", "--runtime-dir", str(runtime.runtime_dir), *words]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    await talk.call_graph(over_s=2)
    told = json.loads(await asyncio.to_thread(run, "-o", "json", "--limit", "500"))
    named = {(pair["sender"], pair["receiver"]) for pair in told["pairs"]}
    assert ("graph-hub", "graph-3") in named
    assert (None, "graph-broken") in named
    table = await asyncio.to_thread(run)
    assert re.search(r"^graph-hub +graph-3 +[0-9]", table, re.MULTILINE)
    drawn = await asyncio.to_thread(run, "-o", "dot")
    assert '[label="graph-hub"]' in drawn


async def test_rates_are_those_of_the_runtime(client):
    """What is told of a quiet shard is no estimate: as many messages as were sent, over its time, about that of all."""
    agent = await client.deploy("graph-counted", GUESTS / "echo.wasm")
    await client.call_graph(over_s=0)

    for _ in range(50):
        await client.request(agent, b"x")

    async def counted():
        graph = await client.call_graph(500, over_s=0)
        pairs = [pair for pair in graph.pairs if agent in {pair.sender, pair.receiver}]
        sent = [pair.messages_per_s * graph.over_ms / 1_000 for pair in pairs]
        return len(pairs) == 2 and sent == pytest.approx([50, 50], rel=0.2) and pairs

    one, other = await eventually(counted)
    assert one.messages_per_s == other.messages_per_s
    assert (one.messages_error, one.failures_per_s, other.failures_per_s) == (0, 0, 0)
    assert {one.sender, other.sender} == {None, agent}
    await client.remove(agent)
