"""Messages that are refused: a typed error to their sender, for each of them alone."""

import asyncio

import pytest

import caxton
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.agents.limits import Limits
from caxton.client.routes.receipts import Receipt
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    IdempotencyKeyReused,
    MessageExpired,
    MessageTooLarge,
    QueueFull,
    ResourceLimitExceeded,
    Timeout,
    Unsupported,
    ValidationError,
)
from caxton.ids import BROADCAST
from caxton.testing import eventually

LARGE_ECHO = """(module (memory (export "memory") 200)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32))
            (i64.extend_i32_u (local.get $length)))))"""
PATIENT = Limits(max_fuel=10**10, max_execution_ms=5_000, mailbox_capacity=8)
VOLATILE = DeliveryOptions(reliability="at_most_once")


def spin(rounds):
    """A message that keeps its agent busy: 10 million rounds take some ten milliseconds, on one machine or another."""
    return b"s" + rounds.to_bytes(8, "little")


SPIN = spin(10_000_000)


def count(reply):
    return int.from_bytes(reply.content, "little")


async def test_a_message_to_an_unknown_agent_is_refused(client):
    """Whoever mistypes a name is told the name that was typed, and whoever gave an id the id."""
    agent_id = client.id_of("nobody")
    for call in (client.send, client.request):
        for who, told in (("nobody", "nobody"), (agent_id, str(agent_id)), (int(agent_id), str(agent_id))):
            with pytest.raises(AgentNotFound) as caught:
                await call(who, b"")
            assert caught.value.agent == told


async def test_a_dead_letter_tells_the_name_that_was_sent_to(client, agent):
    """The name stays with a message when the agent that had it is gone, also in a batch."""
    await agent("mischief", "short-lived")
    await client.pause("short-lived")
    await client.send("short-lived", b"later")
    await client.remove("short-lived")
    receiver = client.id_of("short-lived")
    (letter,) = [letter async for letter in client.dead_letters(agent="short-lived")]
    named, unnamed = await client.send_batch(
        [caxton.Message(receiver, b"", receiver_name="short-lived"), caxton.Message(receiver, b"")]
    )

    assert letter.message.receiver_name == "short-lived"
    assert (named.agent, unnamed.agent) == ("short-lived", str(receiver))
    await client.purge(letter)


async def test_a_call_about_an_unknown_agent_tells_the_name(client):
    """What asks about an agent tells the name that was typed, too."""
    for call in (client.inspect, client.pause, client.resume, client.stop, client.remove):
        with pytest.raises(AgentNotFound) as caught:
            await call("nobody")
        assert caught.value.agent == "nobody"
    assert [error.agent for error in await client.remove_many(["nobody", "no one"])] == ["nobody", "no one"]


async def test_what_a_list_shows_of_an_agent_is_the_agent(client, agent):
    """Calls take it as they take the id; when the agent is gone, its name is told."""
    await agent("mischief", "listed")
    (view,) = await client.agents(name="listed")
    assert (await client.inspect(view)).id == view.id
    assert (await client.send(view, b"")).is_new
    await client.remove(view)

    for refused in (client.send(view, b""), client.inspect(view)):
        with pytest.raises(AgentNotFound) as caught:
            await refused
        assert caught.value.agent == "listed"


async def test_a_message_to_a_stopped_agent_is_refused(client, agent):
    """A message to a stopped agent is refused with its state."""
    stopped = await agent("mischief")
    await client.stop(stopped)

    for refused in (client.send(stopped, b""), client.request(stopped, b"")):
        with pytest.raises(AgentNotRunning) as caught:
            await refused
        assert caught.value.state == "stopped"
        assert str(stopped) in caught.value.agent


async def test_a_message_to_a_removed_agent_is_refused(client, wasm):
    """A message to an agent that was removed is refused as one to nobody."""
    removed = await client.deploy("removed", wasm("mischief"))
    await client.remove(removed)

    with pytest.raises(AgentNotFound):
        await client.send(removed, b"")


async def test_a_message_too_large_for_its_agent_is_refused(client, agent):
    """Content beyond the agent's limit is refused with both sizes; content of just the limit is taken."""
    small = await agent("echo", limits=Limits(max_message_bytes=100))

    assert (await client.request(small, bytes(100))).content == bytes(100)
    for refused in (client.send(small, bytes(101)), client.request(small, bytes(101))):
        with pytest.raises(MessageTooLarge) as caught:
            await refused
        assert (caught.value.size, caught.value.limit) == (101, 100)


async def test_a_message_too_large_for_anybody_is_refused_before_it_is_sent(client, agent):
    """Content beyond 10 MB is refused by the client."""
    await agent("echo", "echo")

    with pytest.raises(MessageTooLarge):
        await client.send("echo", bytes(10_000_001))


async def test_the_largest_message_comes_through(client, agent):
    """Content of 10 MB goes to an agent that allows it, and back."""
    limits = Limits(max_message_bytes=10_000_000, max_output_bytes=10_000_000)
    large = await agent(LARGE_ECHO, "large", limits=limits)

    assert (await client.request(large, bytes(10_000_000))).content == bytes(10_000_000)


async def test_the_others_of_a_batch_succeed_in_order(client, agent):
    """In a batch with every kind of refusal the other messages are placed, run once each, and in their order."""
    counter = await agent("mischief", limits=Limits(max_message_bytes=100))
    stopped = await agent("echo", "stopped")
    await client.stop(stopped)
    bad = [Message(client.id_of("nobody"), b""), Message(stopped, b""), Message(counter, bytes(101))]
    batch = [message for one_bad in bad * 30 for message in (one_bad, Message(counter, b""), Message(counter, b""))]

    replies = await client.request_many(batch)
    placed = await client.send_batch(batch)

    errors = [type(reply) for reply in replies if not isinstance(reply, Message)]
    assert errors == [AgentNotFound, AgentNotRunning, MessageTooLarge] * 30
    assert [count(reply) for reply in replies if isinstance(reply, Message)] == list(range(1, 181))
    assert [type(error) for error in placed[::3]] == errors
    assert [type(result) for n, result in enumerate(placed) if n % 3] == [Receipt] * 180
    assert count(await client.request(counter, b"")) == 361


@pytest.mark.parametrize(
    "fields",
    [
        {"receiver": 0},
        {"receiver": -1},
        {"receiver": 1 << 64},
        {"receiver": "echo"},
        {"content": "text"},
        {"performative": 99},
        {"language": "x" * 256},
        {"ontology": "\ud800"},
        {"reply_to": -1},
        {"reply_by": 1 << 63},
        {"reply_with": b"short"},
    ],
)
async def test_a_malformed_message_cannot_be_made(fields):
    """A message with a value outside its bounds is a ValidationError that names the field, before anything is sent."""
    with pytest.raises(ValidationError) as caught:
        Message(**{"receiver": 1, **fields})

    assert caught.value.field == next(iter(fields))


@pytest.mark.parametrize("lane", ["at_least_once", "at_most_once"])
async def test_broadcast_is_refused(client, lane):
    """A message to everybody is refused with a typed error that says what there is instead, on both lanes."""
    with pytest.raises(Unsupported, match="send to an agent"):
        await client.send(BROADCAST, b"", options=DeliveryOptions(reliability=lane))


@pytest.mark.parametrize("lane", ["at_least_once", "at_most_once"])
async def test_a_message_from_client_to_client_is_refused(client, served, lane):
    """A message to another client, there or gone, is refused with a typed error, on both lanes."""
    options = DeliveryOptions(reliability=lane)
    async with served.connect() as other:
        number = other._open().number
        with pytest.raises(Unsupported):
            await client.send(number, b"", options=options)

    with pytest.raises(Unsupported):
        await client.send(number, b"", options=options)


async def test_messages_beyond_a_full_mailbox_are_refused_alone(client, agent):
    """A batch beyond what a slow agent's mailbox holds: the rest is refused, others in it are not, order is kept."""
    slow = await agent("mischief", "slow", limits=PATIENT)
    other = await agent("mischief", "other")
    batch = [Message(to, SPIN if to == slow else b"") for _ in range(20) for to in (slow, other)]

    results = await client.request_many(batch)

    refused = [result for result in results[::2] if not isinstance(result, Message)]
    answers = [count(result) for result in results[::2] if isinstance(result, Message)]
    assert {type(error) for error in refused} == {QueueFull}
    assert {error.capacity for error in refused} == {8}
    assert len(answers) >= 8
    assert answers == list(range(1, len(answers) + 1))
    assert [count(result) for result in results[1::2]] == list(range(1, 21))


@pytest.fixture
async def full(client, agent):
    """A paused agent whose mailbox is full, as its client has been told, and how many messages are in it."""
    slow = await agent("mischief", "slow", limits=PATIENT)
    await client.pause(slow)
    results = await client.send_batch([Message(slow, b"", delivery_options=VOLATILE) for _ in range(12)])

    async def is_told():
        return not client._open().route_of(slow).lane(Lane.VOLATILE).has_room(slow)

    await eventually(is_told)
    return slow, sum(isinstance(result, Receipt) for result in results)


async def test_a_full_mailbox_refuses_who_does_not_wait_and_lets_others_wait(client, full):
    """While a mailbox is full, send(wait=False) is QueueFull at once, and send() waits until there is room."""
    slow, placed = full
    with pytest.raises(QueueFull) as caught:
        await client.send(slow, b"", wait=False, options=VOLATILE)
    assert str(slow) in caught.value.receiver
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(client.send(slow, b"", options=VOLATILE))
        await client.resume(slow)
    assert type(waiting.result()) is Receipt
    assert count(await client.request(slow, b"")) == placed + 2


async def test_waiting_for_room_has_a_deadline(client, full):
    """A send that finds no room before its deadline is a Timeout, and the message does not go later."""
    slow, placed = full
    with pytest.raises(Timeout):
        await client.send(slow, b"", timeout_s=0.05, options=VOLATILE)

    await client.resume(slow)
    assert count(await client.request(slow, b"")) == placed + 1


async def test_a_full_mailbox_holds_nobody_else_back(client, served, agent):
    """While one agent's mailbox is full, a client that waits for it and another client talk to other agents."""
    slow = await agent("mischief", "slow", limits=PATIENT)
    quick = await agent("mischief", "quick")
    async with served.connect() as other, asyncio.TaskGroup() as tasks:
        flood = tasks.create_task(client.send_batch([Message(slow, SPIN) for _ in range(100)]))
        for n in range(1, 21, 2):
            assert count(await client.request(quick, b"")) == n
            assert count(await other.request(quick, b"")) == n + 1
        await flood


async def test_what_waited_too_long_is_returned(client, agent):
    """A message that waits in a mailbox beyond its own timeout is not run; its sender is told so."""
    slow = await agent("mischief", "slow", limits=Limits(max_fuel=10**12, max_execution_ms=700))
    endless = Message(slow, spin(2**62))  # for the 700 ms of its deadline, on any machine
    short_lived = Message(slow, b"", delivery_options=DeliveryOptions(timeout_ms=1_000))

    first, second, late = await client.request_many([endless, endless, short_lived])

    assert [type(end) for end in (first, second)] == [ResourceLimitExceeded] * 2
    assert isinstance(late, MessageExpired)
    assert str(slow) in late.receiver
    assert (await client.inspect(slow)).counters["expired"] == 1


async def test_what_waits_for_an_agent_that_is_stopped_is_returned(client, agent):
    """Requests in the mailbox of an agent that is stopped end with AgentNotRunning; the first, which ran, does not."""
    slow = await agent("mischief", "slow", limits=PATIENT)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(
            client.request_many([Message(slow, SPIN, performative=Performative.REQUEST) for _ in range(4)])
        )

        async def has_begun():
            return (await client.inspect(slow)).counters["run"]

        await eventually(has_begun)
        await client.stop(slow)

    ends = [type(result) for result in asked.result()]
    assert ends[0] is Message
    assert set(ends) <= {Message, AgentNotRunning}


async def test_a_receipt_says_when_its_key_was_known(client, served, agent):
    """The same key again is acknowledged and not new, a request gets the first answer; other content is refused."""
    counter = await agent("mischief")
    keyed = [Message(counter, b"", delivery_options=DeliveryOptions(idempotency_key=key)) for key in ("a", "b", "a")]

    assert (await client.send(counter, b"", idempotency_key="a")).is_new
    with pytest.raises(IdempotencyKeyReused, match="a key of its own"):
        await client.send(counter, b"other", idempotency_key="a")
    again = await client.send(counter, b"", idempotency_key="a")
    assert not again.is_new
    assert repr(again).endswith(", not new)")
    assert [receipt.is_new for receipt in await client.send_batch(keyed)] == [False, True, False]
    first = await client.request(counter, b"", idempotency_key="c")
    assert (await client.request(counter, b"", idempotency_key="c")).content == first.content
    with pytest.raises(IdempotencyKeyReused):
        await client.request(counter, b"other", idempotency_key="c")
    assert not (await client.send(counter, b"", idempotency_key="c")).is_new
    assert (await client.inspect(counter)).counters["run"] == 3

    await served.kill_worker(0)
    assert not (await client.send(counter, b"", idempotency_key="a")).is_new
    assert (await client.ledger()).balanced
