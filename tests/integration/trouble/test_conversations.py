"""Conversations of a runtime that is ended without a word, and as the command line tells them."""

import asyncio
import json
import sys

import pytest

from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.options import DeliveryOptions
from caxton.errors import ConversationNotFound, ConversationStopped, NotAParticipant
from caxton.testing import runtime

CAXTON = [sys.executable, "-P", "-m", "caxton"]
DURABLE = DeliveryOptions(reliability="at_least_once")
WORKERS = 2


@pytest.fixture
def fresh():
    """A runtime of two workers for one test."""
    with runtime(WORKERS) as served:
        yield served


async def test_a_durable_conversation_is_still_there_after_everything_was_killed(fresh, wasm):
    """With who takes part, how it stands, its counts and its history; a volatile one is gone, and it goes on."""
    async with fresh.connect(reconnect=False) as client:
        agents = [await client.deploy(f"echo {n}", wasm("echo")) for n in range(6)]
        kept, lost = client.new_conversation(), client.new_conversation()
        for agent in agents:
            await client.request(agent, b"durable", options=DURABLE, conversation_id=kept)
            await client.request(agent, b"volatile", conversation_id=lost)
        before = await client.conversation(kept)
        assert (before.messages, before.state, len(before.history)) == (12, "in progress", 12)
    await asyncio.to_thread(fresh.kill)
    await asyncio.to_thread(fresh.start)
    async with fresh.connect() as client:
        after = await client.conversation(kept)
        assert (after.participants, after.state, after.messages) == (before.participants, before.state, before.messages)
        assert (after.history, after.initiator, after.size) == (before.history, before.initiator, before.size)
        assert abs(after.opened_at - before.opened_at) <= 1
        with pytest.raises(ConversationNotFound):
            await client.conversation(lost)
        with pytest.raises(NotAParticipant):  # it is another client now
            await client.request(agents[0], b"again", options=DURABLE, conversation_id=kept)
        assert (await client.ledger()).balanced


async def test_the_command_line_tells_what_was_said(fresh, wasm):
    """A conversation that is stopped at its limit is shown with its end, listed by its state, and resumed."""
    limits = DeliveryOptions(conversation=ConversationLimits(max_turns=2, keep_contents=True))

    async def caxton(*words):
        command = [*CAXTON, "conversation", *words, "--runtime-dir", str(fresh.runtime_dir)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async with fresh.connect() as client:
        agent = await client.deploy("echo", wasm("echo"))
        name = client.new_conversation()
        for said in (b"one", b"two"):
            await client.request(agent, said, options=limits, conversation_id=name)
        with pytest.raises(ConversationStopped):
            await client.request(agent, b"three", conversation_id=name)

        code, out = await caxton("show", str(name), "-o", "json")
        shown = json.loads(out)
        assert (code, shown["state"], shown["messages"]) == (0, "failed", 4)
        assert [said["content"] for said in shown["history"]] == ["one", "one", "two", "two"]
        assert shown["limits"] == {"max_turns": 2, "keep_contents": True}
        code, out = await caxton("list", "--state", "failed", "--agent", "echo")
        assert (code, str(name) in out) == (0, True)
        assert json.loads((await caxton("stats", "-o", "json"))[1])["stopped"] == 1
        assert (await caxton("resume", str(name)))[0] == 0
        assert (await client.request(agent, b"three", conversation_id=name)).content == b"three"
        assert (await caxton("show", str(client.new_conversation())))[0] == 1
