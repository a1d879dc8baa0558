import asyncio

import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.failure import report
from caxton.acl.performative import Performative
from caxton.client.routes.answers import ENDED_KEPT, Answers
from caxton.client.routes.batches import Batch, settled
from caxton.client.routes.inbox import INBOX_CAPACITY
from caxton.client.routes.pace import DROPPED_AT_ONCE
from caxton.client.routes.unread import Unread
from caxton.errors import AgentError, InvalidMessageFormat, NetworkError
from caxton.links.durable import DurableIncoming

GONE = NetworkError("worker of shard 0", "it ended before it answered")
LONG_S = 60.0
TOKEN = b"t" * 16
HERE, ELSEWHERE = 1, 2


@pytest.fixture
def answers():
    return Answers()


@pytest.fixture
async def batch(answers):
    batch = Batch(1, "request", LONG_S, asyncio.get_running_loop())
    answers.waiting[TOKEN] = request(0), batch, 0, False
    yield batch
    batch.cancel()


@pytest.fixture
def unread():
    """What was taken of a store whose messages 1 to 100 came."""
    incoming = DurableIncoming(window_messages=None, window_bytes=None)
    incoming.take(1, 100, 0)
    return Unread(incoming)


def request(receiver, flags=0):
    return Envelope(TOKEN, int(Performative.REQUEST), 1 << 63, receiver, b"", flags=flags)


def waiting(answers, *requests):
    """A batch with these requests; the token of each is its place."""
    batch = Batch(len(requests), "request", LONG_S, asyncio.get_running_loop())
    for place, each in enumerate(requests):
        answers.waiting[bytes([place])] = each, batch, place, False
    return batch


def reply(content=b"x", *, token=TOKEN, flags=0, performative=Performative.INFORM, message_id=bytes(16)):
    return Envelope(message_id, int(performative), 5, 1 << 63, content, in_reply_to=token, flags=flags)


async def test_a_reply_finds_its_request(answers, batch):
    """The reply to a request is its result, and not in the inbox."""
    answers.take([reply(b"hello")])

    (result,) = await settled(batch)
    assert result.content == b"hello"
    assert dict(answers.counts) == {"answered": 1}


async def test_a_failure_of_the_runtime_is_its_error(answers, batch):
    """A failure that the runtime made is the typed error that it tells of."""
    answers.take([reply(report(AgentError("a", -7)), flags=AUTOMATIC, performative=Performative.FAILURE)])

    (result,) = await settled(batch)
    assert (type(result), result.error_code) == (AgentError, -7)


async def test_a_failure_that_nobody_can_read_is_an_error(answers, batch):
    """A failure of the runtime whose content makes no sense ends the request all the same."""
    answers.take([reply(b"\xc1", flags=AUTOMATIC, performative=Performative.FAILURE)])

    assert [type(result) for result in await settled(batch)] == [InvalidMessageFormat]


async def test_a_failure_that_an_agent_wrote_is_its_answer(answers, batch):
    """An agent may answer with FIPA's failure: that is a message like any other."""
    answers.take([reply(report(AgentError("a", -7)), performative=Performative.FAILURE)])

    (result,) = await settled(batch)
    assert result.performative is Performative.FAILURE


async def test_a_late_reply_goes_to_the_inbox(answers, batch):
    """The reply to a request that is no longer waited for, and a second reply, are messages of the inbox."""
    entry = (Envelope(TOKEN, 18, 1 << 63, 5, b""), batch, 0, False)
    answers.forget([entry])
    answers.forget([entry])
    answers.take([reply(b"late"), reply(b"unasked", token=None)])

    assert [(await answers.inbox.next()).content for _ in range(2)] == [b"late", b"unasked"]
    assert batch.results == [None]


async def test_volatile_messages_beyond_the_inbox_are_dropped(answers):
    """At most 10,000 volatile messages wait; what comes beyond is dropped and counted, and the oldest are kept."""
    answers.take([reply(str(number).encode(), token=None) for number in range(INBOX_CAPACITY + 5)])

    assert answers.counts["inbox_full"] == 5
    assert answers.counts["unasked"] == INBOX_CAPACITY
    assert (await answers.inbox.next()).content == b"0"


async def test_what_is_dropped_for_want_of_room_counts_for_the_pace(answers):
    """Also of what somebody reads, but too slowly."""
    answers.inbox.hold_at_most(1)
    answers.take([reply(b"x", token=None) for _ in range(1 + 2 * DROPPED_AT_ONCE)])
    assert answers.counts["inbox_full"] == 2 * DROPPED_AT_ONCE
    assert answers.inbox.rest_s(100.0) > 0


async def test_durable_messages_that_are_passed_over_are_acknowledged(answers, unread):
    """Nobody is to read them, so nothing waits for that; they count for the pace."""
    counted = []
    answers.inbox.hold_at_most(1)
    answers.inbox.pass_over(lambda: counted.append(1))
    answers.take_durable([reply(token=None, flags=DURABLE) for _ in range(100)], 1, unread)
    unread.place()
    assert (len(counted), len(answers.inbox), unread.incoming.placed) == (100, 0, 100)


async def test_the_inbox_is_bounded_in_bytes(answers):
    """At most 64 MiB of volatile contents wait, and the message that goes beyond it; who reads makes room again."""
    sixteen = bytes(16 << 20)
    answers.take([reply(sixteen, token=None) for _ in range(6)])
    assert (len(answers.inbox), answers.counts["inbox_full"]) == (4, 2)

    await answers.inbox.next()
    answers.take([reply(sixteen, token=None) for _ in range(2)])
    assert (len(answers.inbox), answers.counts["inbox_full"]) == (4, 3)


async def test_durable_contents_beyond_the_bytes_of_the_inbox_stay_in_their_shard(answers, unread):
    """They are asked for again when half of the bytes have been read, and volatile ones have room of their own."""
    asked = []
    answers.inbox.on_room = lambda: asked.append(len(answers.inbox))
    sixteen = bytes(16 << 20)
    answers.take_durable([reply(sixteen, token=None, flags=DURABLE) for _ in range(3)], 1, unread)
    assert not answers.inbox.full_of_unread
    answers.take_durable([reply(sixteen, token=None, flags=DURABLE)], 4, unread)
    assert answers.inbox.full_of_unread
    assert not answers.inbox.full

    answers.inbox.hold_back()
    for _ in range(4):
        await answers.inbox.next()
    assert asked == [2]
    assert not answers.inbox.full_of_unread


async def test_requests_to_a_shard_whose_worker_ended_are_unknown(answers):
    """Every volatile request that left for the shard of a worker that ended gets NetworkError."""
    batch = waiting(answers, request(HERE), request(HERE))
    answers.fail_volatile(HERE.__eq__, GONE)

    assert await settled(batch) == [GONE, GONE]
    assert answers.waiting == {}


async def test_requests_to_other_shards_wait_on(answers):
    """The end of one shard's worker ends no request to another, and no durable one."""
    batch = waiting(answers, request(HERE), request(ELSEWHERE), request(HERE, DURABLE))
    answers.fail_volatile(HERE.__eq__, GONE)

    assert batch.results == [GONE, None, None]
    assert list(answers.waiting) == [bytes([1]), bytes([2])]
    batch.cancel()


async def test_a_request_that_never_left_waits_for_the_next_worker(answers):
    """A request that was still waiting for room is not lost with the worker: nobody has to be told of it."""
    batch = waiting(answers, request(HERE), request(HERE))
    answers.fail_volatile(HERE.__eq__, GONE, {bytes([1])})

    assert batch.results == [GONE, None]
    assert list(answers.waiting) == [bytes([1])]
    batch.cancel()


async def test_the_end_of_the_runtime_ends_every_request(answers):
    """Also durable requests end when there is nobody left to answer."""
    batch = waiting(answers, request(HERE), request(HERE, DURABLE))
    answers.fail_all(GONE)

    assert await settled(batch) == [GONE, GONE]
    assert answers.waiting == {}


async def test_a_durable_reply_is_placed_when_it_is_handed_over(answers, unread):
    """A durable reply that somebody waits for holds no acknowledgement back."""
    batch = waiting(answers, request(HERE, DURABLE))
    answers.take_durable([reply(b"hello", token=bytes([0]), flags=DURABLE)], 100, unread)
    unread.place()

    (result,) = await settled(batch)
    assert (result.content, unread.incoming.placed) == (b"hello", 100)


async def test_what_nobody_asked_for_is_placed_when_the_application_takes_it(answers, unread):
    """The acknowledgement stands before the oldest durable message that waits in the inbox."""
    messages = [reply(bytes([n]), token=None if n in (4, 7) else TOKEN, flags=DURABLE) for n in range(100)]
    answers.take_durable(messages[:8], 1, unread)
    answers.waiting[TOKEN] = request(HERE, DURABLE), waiting(answers), 0, False
    unread.place()
    assert unread.incoming.placed == 0, "the first reply was not asked for, so it waits to be read as well"

    for placed in (1, 2, 3, 4, 5, 6, 7, 100):
        await answers.inbox.next()
        assert unread.incoming.placed == placed
    assert len(answers.inbox) == 0


async def test_a_late_durable_reply_holds_nothing_back(answers, unread):
    """A reply whose caller gave up is kept in the inbox, and counts as placed: nobody may ever look there."""
    batch = waiting(answers, request(HERE, DURABLE))
    answers.forget([(Envelope(bytes([0]), 18, 1 << 63, 5, b""), batch, 0, False)])
    answers.take_durable([reply(b"late", token=bytes([0]), flags=DURABLE)], 100, unread)
    unread.place()

    assert unread.incoming.placed == 100
    assert (await answers.inbox.next()).content == b"late"
    batch.cancel()


async def test_the_word_of_a_failure_holds_nothing_back(answers, unread):
    """A failure that the runtime tells of waits in the inbox and counts as placed: its message is a dead letter."""
    failure = reply(report(AgentError("a", -7)), flags=AUTOMATIC | DURABLE, performative=Performative.FAILURE)
    answers.take_durable([failure], 100, unread)
    unread.place()

    assert unread.incoming.placed == 100
    assert (await answers.inbox.next()).performative is Performative.FAILURE


async def test_an_answer_that_comes_again_is_counted_and_not_kept(answers, unread):
    """The same answer to a durable request that was answered goes nowhere; another message to it is in the inbox."""
    batch = waiting(answers, request(HERE, DURABLE))
    answer = reply(b"a", token=bytes([0]), flags=DURABLE, message_id=b"1" * 16)
    other = reply(b"b", token=bytes([0]), flags=DURABLE, message_id=b"2" * 16)
    answers.take_durable([answer, answer, other], 98, unread)

    assert [result.content for result in await settled(batch)] == [b"a"]
    assert (answers.counts["duplicate_answers"], len(answers.inbox)) == (1, 1)
    assert (await answers.inbox.next()).content == b"b"


async def test_answers_are_remembered_for_a_while(answers, unread):
    """Of the durable requests that ended, the newest 8,192 are remembered, and not more than twice as many."""
    batch = Batch(3 * ENDED_KEPT, "request", LONG_S, asyncio.get_running_loop())
    tokens = [place.to_bytes(16, "big") for place in range(3 * ENDED_KEPT)]
    for place, token in enumerate(tokens):
        answers.waiting[token] = request(HERE, DURABLE), batch, place, False
        answers.take_durable([reply(token=token)], 1, unread)
    answers.take_durable([reply(token=token) for token in tokens[-ENDED_KEPT:]], 1, unread)
    remembered = answers.counts["duplicate_answers"]
    answers.take_durable([reply(token=tokens[0])], 1, unread)

    assert remembered == ENDED_KEPT
    assert answers.counts["duplicate_answers"] == remembered
    await settled(batch)
