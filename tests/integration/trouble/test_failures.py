"""Turns that fail: the sender is told why, the agent has a fresh instance next time, and the shard goes on."""

import asyncio

import msgspec
import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.acl.performative import Performative
from caxton.agents.limits import Limits
from caxton.errors import AgentError, ResourceLimitExceeded, WasmExecutionFailed

# On a machine that is slow or busy, 10 million instructions may take long: here the fuel is to end before the time.
LIMITS = Limits(max_fuel=10_000_000, max_execution_ms=10_000, max_memory_bytes=1 << 20, max_output_bytes=1_000)
AMPLE_FUEL = msgspec.structs.replace(LIMITS, max_fuel=10**12, max_execution_ms=50)
# What the guest `mischief` is asked for, the error, and the field of it that says what went wrong.
TRAPS = {
    "a trap": (b"u", WasmExecutionFailed, "reason", "unreachable"),
    "out of fuel": (b"f", ResourceLimitExceeded, "resource", "max_fuel"),
    "past the deadline": (b"d", ResourceLimitExceeded, "resource", "max_execution_ms"),
    "memory refused": (b"m", ResourceLimitExceeded, "resource", "max_memory_bytes"),
    "a bad pointer": (b"p", WasmExecutionFailed, "reason", "bad_pointer"),
    "too much output": (b"o", ResourceLimitExceeded, "resource", "max_output_bytes"),
}
SAYS = """(module (memory (export "memory") 3) (data (i32.const 131072) "{data}")
  (global $count (mut i32) (i32.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.const 131072) (i64.const 32)) (i64.const {length}))))"""


def says(output):
    """The text of a guest that always returns these bytes."""
    return SAYS.format(data="".join(f"\\{byte:02x}" for byte in output), length=len(output))


def count(reply):
    return int.from_bytes(reply.content, "little")


@pytest.mark.parametrize("what", TRAPS)
async def test_a_turn_that_is_stopped(client, agent, what):
    """A trap, and every limit, ends the request with a typed error and the instance with it; the next one is fresh."""
    asked, kind, field, reason = TRAPS[what]
    limits = AMPLE_FUEL if reason == "max_execution_ms" else LIMITS
    suspect = await agent("mischief", "suspect", limits=limits)
    neighbour = await agent("mischief", "neighbour", limits=LIMITS)
    for n in (1, 2, 3):
        assert count(await client.request(suspect, b"")) == count(await client.request(neighbour, b"")) == n

    with pytest.raises(kind) as caught:
        await client.request(suspect, asked)

    assert getattr(caught.value, field) == reason
    assert str(suspect) in caught.value.agent
    if kind is ResourceLimitExceeded:
        assert caught.value.limit == getattr(limits, reason)
    assert count(await client.request(suspect, b"")) == 1
    assert count(await client.request(neighbour, b"")) == 4
    counters = (await client.inspect(suspect)).counters
    assert (counters["run"], counters["failed"], counters["instances"]) == (5, 1, 2)


async def test_a_trap_charges_the_whole_budget(client, agent):
    """What a trapped turn has used is not known, so the agent is charged all that it might have."""
    suspect = await agent("mischief", "suspect", limits=LIMITS)
    with pytest.raises(WasmExecutionFailed):
        await client.request(suspect, b"u")

    assert (await client.inspect(suspect)).counters["fuel"] >= LIMITS.max_fuel


async def test_an_error_code_of_the_agents_own(client, agent):
    """An agent's own error code comes back as it is, and the agent keeps its state."""
    suspect = await agent("mischief")
    await client.request(suspect, b"")

    with pytest.raises(AgentError) as caught:
        await client.request(suspect, b"e")

    assert caught.value.error_code == -7
    assert count(await client.request(suspect, b"")) == 3
    counters = (await client.inspect(suspect)).counters
    assert (counters["run"], counters["agent_errors"], counters["instances"]) == (3, 1, 1)


@pytest.mark.parametrize(
    "output",
    [
        b"\xc1",
        b"\x81",
        b"hello",
        b"\x80\x80",
        b"\x81\xa8messages\x01",
        b"\x81\xa8messages\x91\x81\xacperformative\xa5shout",
        b"\x81\xa8messages\x91\x81\xa8receiver\x00",
        b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + b"\xff" * 8,
        b"\x81\xa8messages\x91\x81\xa8receiver\xff",
        b"\x81\xa8messages\x91\x81\xa8receiver\xa0",
        b"\x81\xa8messages\x91\x81\xa7content\xa4text",
        b"\x81\xa8messages\x91\x81\xabin_reply_to\xc4\x01x",
        b"\x81\xa8messages" + b"\x91" * 60_000,
        b"\x82\xa8messages\x90\xa7unknown\x01",
    ],
    ids=lambda output: repr(output[:24]),
)
async def test_output_that_nobody_can_read(client, agent, output):
    """What a msgpack agent returns and nobody can read fails its turn, and the agent goes on."""
    suspect = await agent(says(output), "suspect", encoding="msgpack")

    with pytest.raises(WasmExecutionFailed) as caught:
        await client.request(suspect, b"")

    assert caught.value.reason == "invalid_output"
    assert (await client.inspect(suspect)).counters["failed"] == 1


@pytest.mark.parametrize(("limit", "sent"), [(2, 3), (256, 257)])
async def test_too_many_messages_in_a_turn(client, agent, limit, sent):
    """A turn that returns more messages than the agent's limit fails, and none of them is sent."""
    output = b"\x81\xa8messages\xdc" + sent.to_bytes(2, "big") + b"\x80" * sent
    limits = Limits(max_output_messages=limit)
    suspect = await agent(says(output), "suspect", encoding="msgpack", limits=limits)

    with pytest.raises(ResourceLimitExceeded) as caught:
        await client.request(suspect, b"")

    assert (caught.value.resource, caught.value.limit) == ("max_output_messages", limit)
    assert not (await client.inspect(suspect)).instantiated


async def test_as_many_messages_as_are_allowed(client, agent):
    """A turn that returns just as many messages as the agent's limit sends every one of them."""
    output = b"\x81\xa8messages\xdc\x01\x00" + b"\x80" * 256
    talker = await agent(says(output), "talker", encoding="msgpack")

    reply = await client.request(talker, b"")
    inbox = await client.inbox()
    others = [await asyncio.wait_for(anext(inbox), 30) for _ in range(255)]

    assert {message.sender for message in (reply, *others)} == {talker}


async def test_a_failure_of_a_plain_send_comes_to_the_inbox(client, agent):
    """A message that nobody waits for and whose turn fails is answered with a failure that carries the error."""
    suspect = await agent("mischief", limits=LIMITS)
    await client.send(suspect, b"u", options=DeliveryOptions(max_retries=1))

    failure = await asyncio.wait_for(anext(client.inbox()), 30)

    assert failure.performative is Performative.FAILURE
    assert failure.sender == suspect
    error = failure.failure()
    assert isinstance(error, WasmExecutionFailed)
    assert error.reason == "unreachable"


async def test_an_error_code_is_the_end_of_a_durable_message(client, agent):
    """Its sender is told the code; it is an answer, so nothing is tried again and nothing becomes a dead letter."""
    suspect = await agent("mischief", limits=LIMITS)
    before = (await client.ledger()).whole
    await client.send(suspect, b"e")

    failure = await asyncio.wait_for(anext(client.inbox()), 30)

    assert isinstance(failure.failure(), AgentError)
    counters = (await client.inspect(suspect)).counters
    assert (counters["run"], counters["agent_errors"]) == (1, 1)
    assert (await client.ledger()).whole.dead == before.dead


async def test_failures_in_a_batch_are_of_their_messages_alone(client, agent):
    """Of many requests to one agent just those fail whose turns failed, and the order of the others is kept."""
    suspect = await agent("mischief", limits=LIMITS)
    batch = [Message(suspect, asked) for _ in range(50) for asked in (b"", b"", b"u", b"e")]

    results = await client.request_many(batch)

    kinds = [type(result) for result in results]
    assert kinds == [Message, Message, WasmExecutionFailed, AgentError] * 50
    # Each trap loses the count; the error code that follows it is the fresh instance's first turn.
    answers = [count(result) for result in results if isinstance(result, Message)]
    assert answers == [1, 2, *[2, 3] * 49]


@pytest.mark.parametrize("guest", ["loop_in_start", "table_in_start", "init_refuses", "loop_in_init", "loop_in_alloc"])
async def test_an_agent_that_cannot_start(client, agent, guest):
    """An agent whose instance cannot be made is deployed, and every request to it ends with a typed error."""
    suspect = await agent(guest, "suspect", limits=LIMITS)
    neighbour = await agent("mischief", "neighbour")

    for _ in range(2):
        with pytest.raises((WasmExecutionFailed, ResourceLimitExceeded)):
            await client.request(suspect, b"")

    assert count(await client.request(neighbour, b"")) == 1
    view = await client.inspect(suspect)
    assert view.counters["failed"] == 2
    assert not view.instantiated


async def test_a_shard_goes_on_beside_agents_that_fail_all_the_time(client, served, agent):
    """A client whose agents fail in every way at once does not keep another client from its answers."""
    limits = msgspec.structs.replace(LIMITS, max_execution_ms=50)
    suspects = [await agent("mischief", f"suspect {n}", limits=limits) for n in range(4)]
    neighbour = await agent("mischief", "neighbour")
    batch = [Message(to, asked) for _ in range(5) for to in suspects for asked, *_ in TRAPS.values()]
    async with served.connect() as other, asyncio.TaskGroup() as tasks:
        failing = tasks.create_task(client.request_many(batch, timeout_s=60))
        for n in range(1, 20):
            assert count(await other.request(neighbour, b"")) == n

    assert not any(isinstance(result, Message) for result in failing.result())
    assert (await served.health()).workers[0].restarts == 0
