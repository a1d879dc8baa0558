import asyncio
import time

from caxton.acl.message import Message
from caxton.client.routes.backlog import RECEIVER_WINDOW
from caxton.client.routes.receipts import Receipt
from caxton.errors import QueueFull
from caxton.testing import eventually

CALLS = 1_000
AGENTS, LARGE, MESSAGES = 50, 16_384, 12_000
NOTHING = {"session_full": 0, "unsent": 0, "gaps": 0}
# 190 MiB each way, on a machine that many others may be using: what is late is not lost.
UNHURRIED_S = 100.0


async def test_what_is_sent_in_one_turn_of_the_loop_shares_a_frame(client, agent):
    """Requests that many tasks make at once travel together, as if one caller had made them."""
    echo = await agent("echo", "echo")
    before = await counted(client, 0)
    async with asyncio.TaskGroup() as group:
        requests = [group.create_task(client.request(echo, bytes([n]))) for n in range(100)]

    assert [request.result().content for request in requests] == [bytes([n]) for n in range(100)]
    taken, frames = await counted(client, before[0] + 100)
    assert taken == before[0] + 100
    assert frames - before[1] < 10


async def test_every_call_of_a_burst_is_answered(client, agent):
    """As many calls at a time as a client may have are all answered, however fast their answers come."""
    echo = await agent("echo", "echo")
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(client.inspect(echo)) for _ in range(CALLS)]

    assert {call.result().agent_id for call in calls} == {echo}


async def test_large_answers_are_lost_to_nobody_who_reads(client, agent):
    """Three times as many bytes as a worker keeps for a session that does not read all reach one that does."""
    echoes = [await agent("echo", f"echo {number}") for number in range(AGENTS)]
    requests = [Message(echo, bytes(LARGE)) for echo in echoes]
    answers = await client.request_many(requests * (MESSAGES // AGENTS), timeout_s=UNHURRIED_S)

    assert await dropped(client) == NOTHING
    assert {type(answer) for answer in answers} == {Message}


async def test_a_client_that_reads_slowly_loses_no_answer(client, agent, monkeypatch):
    """A worker that answers faster than its client reads takes no more from it, and drops nothing."""
    echoes = [await agent("echo", f"echo {number}") for number in range(AGENTS)]
    answers = client._runtime.session.answers
    take = answers.take

    def take_slowly(messages):
        ends_s = time.monotonic() + 0.002
        while time.monotonic() < ends_s:
            pass
        take(messages)

    monkeypatch.setattr(answers, "take", take_slowly)
    requests = [Message(echo, bytes(LARGE)) for echo in echoes]
    got = await client.request_many(requests * (MESSAGES // AGENTS), timeout_s=UNHURRIED_S)

    assert await dropped(client) == NOTHING
    assert {type(answer) for answer in got} == {Message}


async def test_who_does_not_want_to_wait_is_refused_within_a_burst(client, agent):
    """Of sends with wait=False that many tasks make at once, those beyond the receiver's window are refused at once."""
    echo = await agent("echo", "echo")
    await client.send_batch([Message(echo)] * 1_000)
    sends = (client.send(echo, b"", wait=False) for _ in range(200))
    results = await asyncio.gather(*sends, return_exceptions=True)

    assert {type(result) for result in results} == {Receipt, QueueFull}
    assert sum(isinstance(result, QueueFull) for result in results) >= 200 - RECEIVER_WINDOW


async def dropped(client):
    """What its worker, or the link to it, has dropped of what was for a client."""
    totals = (await client.stats()).totals
    return {name: totals.get(name, 0) for name in NOTHING}


async def counted(client, taken):
    """The messages, at least so many, and the data frames that the worker says it has taken from clients."""

    async def told():
        totals = (await client.stats()).totals
        counts = totals.get("taken_from_sessions", 0), totals.get("frames_in", 0)
        return counts if counts[0] >= taken else None

    return await eventually(told)
