"""Frames made by hand, from a session with a valid mark: what is wrong is dropped and counted, the rest goes on."""

import asyncio

import pytest

from caxton.acl.message import Message
from caxton.ids import BROADCAST
from caxton.testing import eventually

UUID = bytes(16)


@pytest.fixture
async def echo(agent):
    return await agent("mischief", "counter")


@pytest.fixture
async def grows(shard_counter):
    """Proves that a counter of the shard grows by so much inside the block."""

    class Growth:
        def __init__(self, name, most):
            self.name, self.most = name, most

        async def __aenter__(self):
            self.before = await shard_counter(self.name)

        async def __aexit__(self, kind, error, traceback):
            if kind is None:
                await eventually(self.has_grown)

        async def has_grown(self):
            return await shard_counter(self.name) == self.before + self.most

    return lambda name, by=1: Growth(name, by)


@pytest.mark.parametrize(
    "changed",
    [
        {"message_id": b"short"},
        {"message_id": bytes(17)},
        {"message_id": None},
        {"performative": 99},
        {"performative": -1},
        {"sender": -1},
        {"receiver": -1},
        {"content": "text"},
        {"content": None},
    ],
)
async def test_a_frame_with_a_message_that_cannot_be_is_dropped_whole(raw_session, echo, client, grows, changed):
    """A message with a value outside its bounds makes its frame garbage; the session's next frame is taken."""
    async with grows("garbage"):
        raw_session.send(raw_session.message(echo), raw_session.message(echo, **changed), first=1)

    raw_session.send(raw_session.message(echo))
    assert await raw_session.settled() == []
    assert (await client.inspect(echo)).counters["run"] == 1


@pytest.mark.parametrize(
    "tail",
    [
        [b"short"],
        [UUID, b"short"],
        [UUID, UUID, b"short"],
        [UUID, UUID, UUID, -1],
        [UUID, UUID, UUID, 0, 11],
        [UUID, UUID, UUID, 0, 5, 300_001],
        [UUID, UUID, UUID, 0, 5, -1],
        [UUID, UUID, UUID, 0, 5, 1_000, 256],
        [UUID, UUID, UUID, 0, 5, 1_000, 0, ["x" * 256]],
        [UUID, UUID, UUID, 0, 5, 1_000, 0, [None, None, None, None, -1]],
        [UUID, UUID, UUID, 0, 5, 1_000, 0, "not a list"],
    ],
)
async def test_a_frame_with_optional_fields_that_cannot_be_is_dropped(raw_session, echo, grows, tail):
    """The fields that few messages have are checked like those that every message has."""
    async with grows("garbage"):
        raw_session.send([*raw_session.message(echo), *tail], first=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"lane": 2},
        {"lane": -1},
        {"first": 0},
        {"first": -1},
        {"target": 1 << 62},
        {"target": -1},
        {"source": -1},
        {"mark": b"short"},
        {"messages": [], "lane": 1},
        {"messages": "none"},
        {"resent": "perhaps"},
    ],
)
async def test_a_frame_whose_own_fields_are_wrong_is_dropped(raw_session, echo, client, grows, changed):
    """A frame with a wrong lane, sequence, target or mark is garbage, and nothing of it runs."""
    async with grows("garbage"):
        raw_session.send(*([] if "messages" in changed else [raw_session.message(echo)]), **changed)

    raw_session.send(raw_session.message(echo))
    assert await raw_session.settled() == []
    assert (await client.inspect(echo)).counters["run"] == 1


async def test_a_durable_frame_before_a_hello_is_left(raw_session, echo, client, grows):
    """A frame of the durable lane whose source has not said hello is not taken, and the session goes on."""
    async with grows("left"):
        raw_session.send(raw_session.message(echo), lane=1)

    raw_session.send(raw_session.message(echo))
    assert await raw_session.settled() == []
    assert (await client.inspect(echo)).counters["run"] == 1


async def test_a_frame_of_300_messages_is_dropped(raw_session, echo, grows):
    """A frame beyond 256 messages is garbage, and one of 256 would not be."""
    async with grows("garbage"):
        raw_session.send(*[raw_session.message(echo)] * 300, first=1)


async def test_a_forged_sender_is_refused_alone(raw_session, echo, client):
    """A message in another's name is refused with SecurityError; the others of its frame run."""
    honest = raw_session.message(echo)
    victim = client._open().number

    raw_session.send(honest, raw_session.message(echo, sender=victim), honest, raw_session.message(echo, sender=0))

    assert await raw_session.settled() == [(2, "SecurityError"), (4, "SecurityError")]
    assert (await client.inspect(echo)).counters["run"] == 2


async def test_receivers_that_cannot_be_are_refused_alone(raw_session, echo, client):
    """A message to nobody, to everybody or to a session is refused; the others of its frame run."""
    odd = [raw_session.message(to) for to in (0, BROADCAST, raw_session.number, (1 << 63) - 1)]
    honest = raw_session.message(echo)

    raw_session.send(odd[0], honest, odd[1], honest, odd[2], honest, odd[3])

    assert await raw_session.settled() == [
        (1, "AgentNotFound"),
        (3, "Unsupported"),
        (5, "Unsupported"),
        (7, "AgentNotFound"),
    ]
    assert (await client.inspect(echo)).counters["run"] == 3


@pytest.mark.parametrize("reply_to", [0, BROADCAST, (1 << 64) - 2, 1 << 62])
async def test_an_answer_to_nobody_harms_nobody(raw_session, echo, client, reply_to):
    """A request whose answer is to go to nobody is run, and its answer is dropped."""
    rare = [None, None, None, None, reply_to]

    raw_session.send([*raw_session.message(echo), UUID, None, None, 0, 5, 1_000, 0, rare])

    assert await raw_session.settled() == []
    assert (await client.request(echo, b"")).content == (2).to_bytes(8, "little")


async def test_a_sequence_that_leaps_is_reported_as_lost(raw_session, echo, grows):
    """Messages that never came are counted as gaps, and their sender is told which; those that came are run."""
    async with grows("gaps", 9):
        raw_session.emitted = 9
        raw_session.send(raw_session.message(echo))
        assert await raw_session.settled() == [(n, "NetworkError") for n in range(1, 10)]


async def test_messages_that_went_and_never_came_are_reported_by_the_word_how_far_it_went(raw_session, echo, grows):
    """A frame without messages says that all before it went: it is no message itself, and what is missing is lost."""
    async with grows("gaps", 3):
        raw_session.emitted = 3
        raw_session.send(first=4)
        assert await raw_session.settled() == [(n, "NetworkError") for n in range(1, 4)]

    async with grows("over_credit", 1):
        raw_session.send(first=1 << 40)


async def test_a_frame_beyond_its_credit_is_dropped(raw_session, echo, client, grows):
    """A session that sends more than it was allowed has the frame beyond dropped and counted, and may go on."""
    async with grows("over_credit", 2):
        raw_session.send(*[raw_session.message(echo)] * 2, first=1 << 40)

    raw_session.send(raw_session.message(echo))
    assert await raw_session.settled() == []
    assert (await client.inspect(echo)).counters["run"] == 1


async def test_a_frame_that_comes_again_is_dropped(raw_session, echo, client, grows):
    """Messages that were taken are not taken again: they are counted as duplicates."""
    raw_session.send(raw_session.message(echo))
    await raw_session.settled()

    async with grows("duplicates"):
        raw_session.send(raw_session.message(echo), first=1)

    assert (await client.inspect(echo)).counters["run"] == 1


async def test_a_frame_under_anothers_name_is_forged(raw_session, echo, client, grows):
    """A frame with another session's id and a wrong mark is counted as forged, and that session is not disturbed."""
    victim = client._open()

    async with grows("forged"):
        raw_session.send(raw_session.message(echo, sender=victim.number), source=victim.number, first=1)
    async with grows("forged"):
        raw_session.send(raw_session.message(echo), source=raw_session.worker, first=1)
    async with grows("forged"):
        raw_session.send(raw_session.message(echo), mark=bytes(16), first=1)

    assert (await client.request(echo, b"")).content == (1).to_bytes(8, "little")


TOPOLOGY, SESSION_ENDED, DRAIN, CALL, LINK_STATE, HELLO, ANSWER = 5, 6, 7, 3, 1, 2, 4


async def test_only_the_supervisor_commands(raw_session, echo, client, grows):
    """A session that says to drain, or that another ended, is counted as forged, and nothing follows."""
    own = raw_session.number, raw_session.mark
    async with grows("forged", 4):
        raw_session.control(DRAIN, *own, 2)
        raw_session.control(DRAIN, 0, raw_session.mark, 2)
        raw_session.control(SESSION_ENDED, *own, client._open().number)
        raw_session.control(TOPOLOGY, *own, (1 << 62), [1, [0] * 1024], [0], ["failed"])

    assert (await client.request(echo, b"")).content == (1).to_bytes(8, "little")


async def test_control_frames_that_cannot_be_are_dropped(raw_session, echo, client, grows):
    """Control frames that do not decode, are for another, or that workers do not take, are garbage."""
    own = raw_session.number, raw_session.mark, raw_session.worker
    odd = [
        (99, *own),
        (HELLO, *own, -1, True),
        (HELLO, raw_session.number, raw_session.mark, raw_session.worker + 1, 0, True),
        (ANSWER, *own, 1, [24]),
        (CALL, *own, 1, [10, []]),
        (CALL, *own, 1, [14, []]),
        (CALL, *own, 1, [11, "", 0]),
        (CALL, *own, 1, [10, [["", bytes(32)]]]),
        (CALL, *own, 1, [10, [["name", b"short"]]]),
        (LINK_STATE, *own, 1, 0, 0, 0, 0, [], list(range(5_000)), 0, 0),
    ]

    async with grows("garbage", len(odd)):
        for frame in odd:
            raw_session.control(*frame)

    assert (await client.request(echo, b"")).content == (1).to_bytes(8, "little")


@pytest.mark.parametrize(
    "numbers",
    [
        (1, 1 << 40, 0, 0, 0, 0, 0),
        (1, 0, 0, 0, 1 << 40, 0, 0),
        (1, 0, 0, 0, 0, 1 << 60, 1 << 60),
        ((1 << 64) - 1, 0, 0, 0, 0, 0, 0),
    ],
)
async def test_states_that_claim_what_cannot_be_change_nothing(raw_session, echo, client, numbers):
    """A link state that acknowledges what was never sent, or the like, is ignored, and the link goes on."""
    number, taken, credit, credit_bytes, refusals_from, emitted, seen = numbers
    own = raw_session.number, raw_session.mark, raw_session.worker

    raw_session.control(LINK_STATE, *own, number, taken, credit, credit_bytes, refusals_from, [], [], emitted, seen)
    raw_session.send(raw_session.message(echo))

    assert await raw_session.settled() == []
    assert (await client.request(echo, b"")).content == (2).to_bytes(8, "little")


async def test_a_session_that_reads_nothing_holds_nobody_up(raw_session, echo, client):
    """Answers that a session never takes hold up no other session."""
    asking = [*raw_session.message(echo), UUID]
    for _ in range(20):
        raw_session.send(*[asking] * 32)
        await raw_session.settled()

    replies = await asyncio.wait_for(client.request_many([Message(echo, b"")] * 1_000), 30)
    assert {type(reply) for reply in replies} == {Message}
