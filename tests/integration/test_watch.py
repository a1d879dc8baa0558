"""Messages as they go by, watched by a client and from a shell, on two shards and over the end of a worker."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import caxton.guests
from caxton.errors import AgentNotFound, ResourceExhausted, ValidationError
from caxton.testing import eventually
from caxton.testing import runtime as serve

GUESTS = Path(caxton.guests.__file__).parent
CAXTON = [sys.executable, "-P", "-m", "caxton"]
# Names of agents of either shard of two, which a test asks the runtime for.
MANY = [f"parrot-{number}" for number in range(40)]


@pytest.fixture(scope="module")
def runtime():
    with serve(workers=2) as served:
        yield served


@pytest.fixture
async def client(runtime):
    async with runtime.connect() as client:
        yield client
        async for agent in client.agents():
            await client.remove(agent)


@pytest.fixture
async def parrots(client):
    """An agent of each shard, which repeat what they are told."""
    by_shard = {}
    for name in MANY:
        by_shard.setdefault(client._reach().table.shard_of(client.id_of(name)), name)
    return [await client.deploy(by_shard[shard], GUESTS / "echo.wasm") for shard in (0, 1)]


@pytest.fixture
def command(runtime):
    """Start `caxton watch`; its lines are read one by one."""
    begun = []

    def start(*arguments, stdout=subprocess.PIPE):
        words = [*CAXTON, "watch", "--runtime-dir", str(runtime.runtime_dir), *arguments]
        begun.append(subprocess.Popen(words, stdout=stdout, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield start
    for one in begun:
        with one:
            one.kill()


async def seen(watched):
    """The next message that is no note."""
    one = await anext(watched)
    assert one.message is not None, one.note
    return one


async def test_an_agent_is_watched(client, parrots):
    """What it is asked and what it answers, on both lanes, with contents where one wants them."""
    watched = client.watch(parrots[0], with_content=True)
    assert (await anext(watched)).note == "watched from here on"
    reply = await client.request(parrots[0], b"hello")
    asked, answered = await seen(watched), await seen(watched)
    assert (asked.message.receiver, asked.message.content, asked.is_durable) == (parrots[0], b"hello", False)
    assert answered.message.message_id == reply.message_id
    await client.request(parrots[1], b"nobody watches this one")
    receipt = await client.send(parrots[0], b"durable")
    one = await seen(watched)
    assert (one.message.message_id, one.is_durable) == (receipt.message_id, True)
    await watched.aclose()
    await eventually(lambda: nobody_watches(client))


async def nobody_watches(client):
    return (await client.stats()).totals["watches"] == 0


async def test_a_conversation_is_watched_on_every_shard(client, parrots):
    """Each of its messages once, and those of others not at all."""
    conversation = client.new_conversation()
    watched = client.watch(conversation=conversation)
    await anext(watched)
    for parrot in parrots:
        await client.request(parrot, b"beside it")
        await client.request(parrot, b"in it", conversation_id=conversation)
        asked, answered = await seen(watched), await seen(watched)
        assert (asked.message.receiver, answered.message.sender) == (parrot, parrot)
        assert {asked.message.conversation_id, answered.message.conversation_id} == {conversation}
        assert (asked.content_bytes, asked.message.content) == (5, b"")
    await watched.aclose()


async def test_what_goes_by_unseen_is_counted(client, parrots):
    """Whoever does not ask in time is told how many messages are missing."""
    watched = client.watch(parrots[0])
    await anext(watched)
    await client.pause(parrots[0])
    await client.send_batch([caxton.Message(parrots[0], b"x") for _ in range(100)], timeout_s=60)
    assert (await seen(watched)).missed == 0
    await client.resume(parrots[0])
    await client.send_batch([caxton.Message(parrots[0], b"x") for _ in range(4_000)], timeout_s=60)
    count, missed = 1, 0
    while count + missed < 4_100:
        one = await anext(watched)
        missed += one.missed
        count += one.message is not None
    assert count + missed == 4_100
    await watched.aclose()


async def test_a_watch_goes_on_at_the_next_worker(client, parrots, runtime):
    """A note says that something may be missing; an agent that is removed is watched no more."""
    watched = client.watch(parrots[1])
    await anext(watched)
    await runtime.kill_worker(1)
    note = await anext(watched)
    assert note.note == "the worker of shard 1 was restarted: what went by meanwhile was not seen"
    await client.request(parrots[1], b"hello")
    assert (await seen(watched)).message.receiver == parrots[1]
    assert (await seen(watched)).message.sender == parrots[1]
    await client.remove(parrots[1])
    with pytest.raises(AgentNotFound):
        await anext(watched)


async def test_what_cannot_be_watched_is_refused(client, parrots):
    """Nobody and both are not; nor more at a time than a client may."""
    for nothing in ({}, {"agent": parrots[0], "conversation": client.new_conversation()}):
        with pytest.raises(ValidationError):
            await anext(client.watch(**nothing))
    with pytest.raises(AgentNotFound, match="nobody-there"):
        await anext(client.watch("nobody-there"))
    some = [client.watch(parrots[0]) for _ in range(9)]
    for one in some[:8]:
        await anext(one)
    with pytest.raises(ResourceExhausted, match="watches of one client"):
        await anext(some[8])
    for one in some:
        await one.aclose()


async def test_a_watch_ends_with_its_client(client, parrots, runtime):
    """Though nobody said so."""
    async with runtime.connect() as other:
        await anext(other.watch(parrots[0]))
    await eventually(lambda: nobody_watches(client))


async def test_a_shell_watches_until_ctrl_c(client, parrots, command):
    """One JSON object a line, the first of them when it watches; contents only where asked for."""
    name = (await client.inspect(parrots[0])).name
    watching = command(name, "-o", "json")
    assert json.loads(watching.stdout.readline())["note"] == "watched from here on"
    await client.request(parrots[0], b"hello")
    told = json.loads(watching.stdout.readline())
    assert (told["performative"], told["receiver"], told["content_bytes"]) == ("request", str(parrots[0]), 5)
    assert "content" not in told
    watching.send_signal(signal.SIGINT)
    assert watching.communicate()[1] == ""
    assert watching.returncode == 0


async def test_a_shell_shows_messages_for_people(client, parrots, command):
    """With names, and with contents that cannot do anything to a terminal; it ends when nobody reads."""
    name = (await client.inspect(parrots[0])).name
    ours, theirs = os.pipe()
    watching = command(str(parrots[0]), "--contents", stdout=theirs)
    os.close(theirs)
    assert watching.stderr.readline() == "caxton: watched from here on\n"
    await client.request(parrots[0], b"hello \x1b[2J")
    assert f"-> {name} 10 bytes" in (line := os.read(ours, 10_000).decode())
    assert line.splitlines()[0].endswith(" hello \\x1b[2J")
    os.close(ours)
    assert watching.wait() == 1
    wrong = command("nobody-there")
    assert "there is no agent nobody-there" in wrong.communicate()[1]
    assert wrong.returncode == 1
