import asyncio
from itertools import pairwise

import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.client.calls.message_calls import SENT_AT_ONCE
from caxton.client.client import Client, connect
from caxton.client.routes.answers import Answers
from caxton.client.routes.receipts import Receipt
from caxton.errors import AgentNotFound, ConfigurationError, QueueFull, ValidationError
from caxton.ids import AgentId, AgentNames, MessageId
from caxton.placement.slot_table import SlotTable

SESSION = 1 << 63


class Route:
    """A way without room on the volatile lane; `held` messages are not acknowledged."""

    def __init__(self, lane, held):
        self.is_durable = lane is Lane.DURABLE
        self.backlog = self
        self.held = held

    def has_room(self, receiver):
        return self.is_durable

    def load(self, receiver):
        return self.held


class Ended:
    """A session where everything is acknowledged, or answered with its own content, at once."""

    number = SESSION
    table = SlotTable.even(2)

    def __init__(self):
        self.loop, self.names, self.session = asyncio.get_running_loop(), AgentNames(b"key"), self
        self.answers = Answers()
        self.submitted = []
        self.waiting = {}
        self.held = 128
        self.fails = None

    def submit(self, entries, lane):
        for message, batch, place, placed_is_all in entries:
            self.submitted.append((lane, message))
            self.waiting |= self.answers.waiting
            result = Receipt(message.message_id, lane) if placed_is_all else Message.of(message)
            result = self.fails or result
            self.answers.waiting.pop(message.message_id, None)
            batch.end(place, result)

    def pump_due(self):
        pass

    def route_of(self, receiver):
        return self

    def lane(self, lane):
        return Route(lane, self.held)


@pytest.fixture
async def session():
    return Ended()


@pytest.fixture
async def client(session, tmp_path):
    client = Client(tmp_path)
    client._runtime = session
    return client


def options(reliability, **others):
    return DeliveryOptions(reliability=reliability, **others)


async def test_a_message_to_a_name_carries_it(client, session):
    """What is sent to an id carries no name, and is as small as before."""
    await client.send("e\u0301cho", b"a")
    await client.request("\u00e9cho", b"b")
    await client.send(["\u00e9cho", client.id_of("\u00e9cho")], b"c")
    sent = [message for _, message in session.submitted]

    assert {message.receiver for message in sent} == {int(client.id_of("\u00e9cho"))}
    assert [Message.of(message).receiver_name for message in sent[:3]] == ["\u00e9cho"] * 3
    assert sent[3].rare is None


async def test_a_send_is_durable_unless_it_says_otherwise(client, session):
    """`send` takes the durable lane by default, and the receipt says which lane and which id."""
    durable = await client.send(5, b"a")
    volatile = await client.send(5, b"b", options=options("at_most_once"))

    assert [(lane, m.flags) for lane, m in session.submitted] == [(Lane.DURABLE, DURABLE), (Lane.VOLATILE, 0)]
    assert (durable.lane, volatile.lane) == (Lane.DURABLE, Lane.VOLATILE)
    assert durable.message_id == MessageId(session.submitted[0][1].message_id) != volatile.message_id
    assert session.submitted[0][1].sender == SESSION


async def test_a_request_is_volatile_unless_it_says_otherwise(client, session):
    """`request` takes the volatile lane by default, and a key takes the durable one."""
    await client.request(5, b"a")
    await client.request(5, b"b", options=options("at_least_once"))
    await client.request(5, b"c", idempotency_key="key")

    assert [lane for lane, _ in session.submitted] == [Lane.VOLATILE, Lane.DURABLE, Lane.DURABLE]
    assert [m.flags for _, m in session.submitted] == [0, DURABLE, DURABLE]
    assert session.submitted[2][1].rare.idempotency_key == "key"


async def test_lanes_may_be_mixed(client, session):
    """Messages of one batch go each on its own lane, and their results come in order."""
    messages = [Message(n, b"", delivery_options=options(r)) for n, r in enumerate(["at_most_once", None] * 3, 1)]
    receipts = await client.send_batch(messages)
    replies = await client.request_many([*messages, Message(7, delivery_options=options("at_least_once"))])

    assert [receipt.lane for receipt in receipts] == [Lane.VOLATILE, Lane.DURABLE] * 3
    assert [reply.receiver for reply in replies] == [1, 2, 3, 4, 5, 6, 7]
    assert [m.receiver for lane, m in session.submitted[6:] if lane is Lane.DURABLE] == [7]


async def test_others_have_the_loop_while_a_large_batch_is_sent(client, session, one_turn_of_the_loop):
    """It is sent in parts, in its order, and is one batch all the same."""
    seen, is_over = set(), False

    async def others():
        while not is_over:
            seen.add(len(session.submitted))
            await one_turn_of_the_loop()

    async with asyncio.TaskGroup() as besides:
        besides.create_task(others())
        receipts = await client.send_batch([Message(n) for n in range(1, 2 * SENT_AT_ONCE + 2)])
        is_over = True

    assert {SENT_AT_ONCE, 2 * SENT_AT_ONCE} <= seen
    assert [m.receiver for _, m in session.submitted] == [*range(1, 2 * SENT_AT_ONCE + 2)]
    assert [receipt.raw_id for receipt in receipts] == [m.message_id for _, m in session.submitted]


async def test_the_rest_of_a_batch_goes_with_the_next_session(client, session):
    """When the runtime was started again while others had the loop."""
    following = Ended()
    following.number = SESSION + 1

    async def others():
        session.session = following

    async with asyncio.TaskGroup() as besides:
        besides.create_task(others())
        await client.send_batch([Message(n) for n in range(1, SENT_AT_ONCE + 2)])

    assert {m.sender for _, m in session.submitted} == {SESSION}
    assert [m.sender for _, m in following.submitted] == [SESSION + 1]


async def test_of_a_batch_that_is_given_up_nothing_more_goes(client, session, one_turn_of_the_loop):
    """What was not sent before is not sent."""
    sending = asyncio.get_running_loop().create_task(client.send_batch([Message(5)] * 3 * SENT_AT_ONCE))
    await one_turn_of_the_loop()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert len(session.submitted) == SENT_AT_ONCE


async def test_a_request_that_waits_is_known_with_its_lane(client, session):
    """A request that waits for its answer is known with its receiver and its lane."""
    messages = [Message(n, delivery_options=options(r)) for n, r in [(1, None), (2, "at_least_once")]]
    await client.request_many(messages)

    assert [(request.receiver, request.flags) for request, *_ in session.waiting.values()] == [(1, 0), (2, DURABLE)]
    assert session.answers.waiting == {}


async def test_who_does_not_want_to_wait_is_told_of_the_lane_it_asked_for(client, session):
    """wait=False looks at the room of the lane that the message would take."""
    assert await client.send(5, b"", wait=False)
    with pytest.raises(QueueFull, match="128 of 128"):
        await client.send(5, b"", wait=False, options=options("at_most_once"))


async def test_a_full_mailbox_is_told_without_numbers_that_nobody_here_knows(client, session):
    """What waits is in the agent's mailbox, and only its shard knows how much: nothing is said to be 0 of 128."""
    session.held = 0
    with pytest.raises(QueueFull, match="queue for slow is full; wait and send again") as caught:
        await client.send("slow", b"", wait=False, options=options("at_most_once"))
    assert (caught.value.receiver, caught.value.depth, caught.value.capacity) == ("slow", 0, 0)


async def test_a_key_on_the_volatile_lane_is_refused(client, session):
    """Before anything is sent."""
    with pytest.raises(ValidationError, match="idempotency_key"):
        await client.send(5, b"", options=options("at_most_once"), idempotency_key="key")
    with pytest.raises(ValidationError, match="idempotency_key"):
        await client.request(5, b"", idempotency_key="")
    assert session.submitted == []


async def test_a_message_that_came_keeps_its_lane_when_it_is_sent_on(client, session):
    """What was received has its lane decided; only an open one takes that of the call."""
    for flags in (0, DURABLE, AUTOMATIC):
        await client.send_batch([Message.of(Envelope(bytes(16), 7, 9, 5, b"", flags=flags))])

    assert [(lane, m.flags) for lane, m in session.submitted] == [(0, 0), (1, DURABLE), (0, AUTOMATIC)]


async def test_every_message_has_an_id_of_its_own(client, session):
    """Ids are stamped in order and never twice, across calls."""
    await client.send_batch([Message(5)] * 300)
    await asyncio.gather(*[client.send_batch([Message(5)] * 10) for _ in range(3)])

    ids = [m.message_id for _, m in session.submitted]
    assert len(set(ids)) == 330
    assert ids == sorted(ids)


async def test_who_was_asked_cannot_tell_the_id_of_the_next_request(client, session):
    """Whoever has some ids knows no other one, and so cannot answer what others were asked."""
    await client.send_batch([Message(5)] * 20)
    ids = [int.from_bytes(m.message_id) for _, m in session.submitted]
    assert len({after - before for before, after in pairwise(ids)}) == 19


@pytest.mark.parametrize("messages", [list, tuple, dict.fromkeys, lambda two: (message for message in two)])
async def test_messages_may_come_from_any_iterable(client, session, messages):
    """Generators and tuples are sent as lists are."""
    two = [Message(5, b"a"), Message(6, b"b")]

    assert len(await client.send_batch(messages(two))) == 2
    assert [reply.content for reply in await client.request_many(messages(two))] == [b"a", b"b"]
    assert [m.receiver for _, m in session.submitted] == [5, 6, 5, 6]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (Message(5), "Message where a list of Message is wanted"),
        ("echo", "str where a list"),
        (b"echo", "bytes where a list"),
        (None, "NoneType where a list"),
        (5, "int where a list"),
        ([Message(5), (5, b"x")], r"messages\[1\]: tuple where a Message is wanted; make one of it"),
        ([None], r"messages\[0\]: NoneType where a Message is wanted"),
        (["echo"], r"messages\[0\]: str"),
    ],
    ids=str,
)
async def test_what_is_no_list_of_messages_is_refused_as_a_whole(client, session, messages, said):
    """The error says where what is, and nothing is sent."""
    for call in (client.send_batch, client.request_many):
        with pytest.raises(ValidationError, match=said):
            await call(messages)

    assert session.submitted == []
    assert session.answers.waiting == {}


@pytest.mark.parametrize("timeout_s", ["5", None, True, float("nan"), float("inf"), 10**10], ids=repr)
async def test_a_timeout_is_a_number_of_seconds(client, session, timeout_s):
    """Every wait has an end, and text is no number."""
    for call in (client.send_batch, client.request_many):
        with pytest.raises(ValidationError, match="timeout_s"):
            await call([Message(5)], timeout_s=timeout_s)
    for call in (client.send, client.request):
        with pytest.raises(ValidationError, match="timeout_s"):
            await call(5, b"", timeout_s=timeout_s)

    assert session.submitted == []


@pytest.mark.parametrize("agent", [None, 1.5, True, 0, -1, 1 << 64, b"echo", "", "x" * 201, "\ud800", "a\0"], ids=ascii)
async def test_what_can_be_no_agent_is_refused(client, session, agent):
    """An agent is an id or a name, in every call that takes one."""
    calls = (client.send, client.request, lambda who, _: client.inspect(who), lambda who, _: client.remove(who))
    for call in calls:
        with pytest.raises(ValidationError, match="agent"):
            await call(agent, b"")

    assert session.submitted == []


async def test_options_are_options(client):
    """What is none of them is told by name, with a key and without."""
    for wrong in (None, {"timeout_ms": 5}):
        with pytest.raises(ValidationError, match="options"):
            await client.send(5, b"", options=wrong)
        with pytest.raises(ValidationError, match="options"):
            await client.send(5, b"", options=wrong, idempotency_key="key")


async def test_the_inbox_is_had_with_and_without_waiting(client, session):
    """There is nothing to wait for, and whoever waits gets the same."""
    assert client.inbox() is await client.inbox() is session.answers.inbox


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": 5}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"handler": None}, "handler"),
        ({"capabilities": "talk"}, "capabilities"),
        ({"capabilities": 5}, "capabilities"),
        ({"capabilities": [5]}, "capability"),
        ({"mailbox_capacity": "5"}, "mailbox_capacity"),
        ({"mailbox_capacity": 0}, "mailbox_capacity"),
        ({"at_once": 257}, "at_once"),
    ],
    ids=str,
)
async def test_what_a_worker_would_not_read_is_refused_before_it_attaches(client, wrong, said):
    """A worker drops a frame that it cannot read, and the caller would wait for nothing."""

    async def handle(delivered):
        """Say nothing."""

    with pytest.raises(ValidationError, match=said):
        client.attach(**{"name": "scribe", "handler": handle} | wrong)


@pytest.mark.parametrize("wrong", [5, b"here", ["here"]], ids=repr)
def test_a_runtime_directory_is_a_path_or_its_text(wrong, tmp_path):
    """Whoever connects to anything else is told so."""
    assert str(connect(str(tmp_path))._runtime_dir) == str(connect(tmp_path)._runtime_dir) == str(tmp_path)
    with pytest.raises(ConfigurationError, match="runtime_dir"):
        connect(wrong)


async def test_a_list_of_receivers_has_a_result_for_each(client, session):
    """Each is sent a message of its own, in order, with an id of its own; none and one are lists too."""
    receipts = await client.send([5, "tally", AgentId(7)], b"x", options=options("at_most_once"))

    sent = [message for _, message in session.submitted]
    assert [message.receiver for message in sent] == [5, client.id_of("tally"), 7]
    assert [receipt.raw_id for receipt in receipts] == [message.message_id for message in sent]
    assert len({receipt.raw_id for receipt in receipts}) == 3
    assert await client.send([], b"x") == []
    assert len(await client.send((5,), b"x")) == 1


async def test_what_is_wrong_with_one_receiver_is_its_result(client, session):
    """An error has the name that was typed; what can be no agent is raised, and then nothing was sent."""
    session.fails = AgentNotFound(str(client.id_of("nobody")))
    (found,) = await client.send(["nobody"], b"x")
    assert str(found).startswith("there is no agent nobody")

    (full, sent) = await client.send([5, 6], b"x", options=options("at_most_once"), wait=False), session.submitted
    assert [type(error) for error in full] == [QueueFull, QueueFull]
    assert len(sent) == 1
    with pytest.raises(ValidationError):
        await client.send([5, 1.5], b"x")
    assert len(sent) == 1
