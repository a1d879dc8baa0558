"""Requests with an idempotency key that is known: whose answer they get, and what becomes of them in trouble."""

import asyncio
from contextlib import suppress

import pytest

import caxton
from caxton.errors import AgentError, AnswerNotKept, Timeout
from caxton.ids import BROADCAST
from caxton.testing import eventually

LONG_S = 60.0


async def test_who_asks_again_is_answered_by_the_next_worker(client, served, agent):
    """A request that waits for the answer of another one goes again when the worker that owed it is killed."""
    name = await agent("mischief")
    await client.pause(name)

    async def refused():
        return (await client.stats()).workers[0].get("refused", 0)

    async def both_wait():
        return await refused() == before + 2

    before = await refused()
    async with served.connect() as other, asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(one.request(name, b"", idempotency_key="again", timeout_s=LONG_S))
            for one in (client, other, other)
        ]
        await eventually(both_wait)
        await served.kill_worker(0)
        before = 0  # another worker counts anew
        await eventually(both_wait)
        await client.resume(name)
    assert {task.result().content for task in asked} == {asked[0].result().content}
    assert (await client.inspect(name)).counters["run"] == 1
    assert (await client.ledger()).balanced


async def test_a_send_has_no_answer_for_who_asks(client, agent):
    """A request with the key of a send ends at once with what to do, under the name that was typed."""
    await agent("mischief", "sent_to")
    await client.send("sent_to", b"", idempotency_key="of a send")

    with pytest.raises(AnswerNotKept, match=r"agent sent_to .* request with another key"):
        await client.request("sent_to", b"", idempotency_key="of a send", timeout_s=LONG_S)


async def test_an_error_code_is_the_answer_of_all(client, agent):
    """Who asks again gets the error code that the agent answered the first request with; the agent is asked once."""
    name = await agent("mischief")
    for _ in range(2):
        with pytest.raises(AgentError) as caught:
            await client.request(name, b"e", idempotency_key="code", timeout_s=LONG_S)
        assert caught.value.error_code == -7
    assert (await client.inspect(name)).counters["run"] == 1


@pytest.mark.parametrize("wrong", [False, True])
async def test_a_turn_without_an_answer_has_none_for_anybody(client, wrong):
    """Who asks again after a handler answered nothing, or what cannot be sent, is told so at once."""

    async def silent(_):
        return [caxton.Message(caxton.AgentId(BROADCAST), b"")] if wrong else None

    async with client.attach("silent", silent):
        with suppress(Timeout):
            await client.request("silent", b"", idempotency_key=f"k {wrong}", timeout_s=0.2)

        with pytest.raises(AnswerNotKept):
            await client.request("silent", b"", idempotency_key=f"k {wrong}", timeout_s=LONG_S)
    await client.remove("silent")
