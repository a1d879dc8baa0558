import asyncio

import pytest

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.acl.performative import Performative
from caxton.client.answers import INBOX_CAPACITY, Answers
from caxton.client.batches import Batch, settled
from caxton.errors import AgentError, InvalidMessageFormat
from caxton.wire.failure import report

TOKEN = b"t" * 16


@pytest.fixture
def answers():
    return Answers()


@pytest.fixture
async def batch(answers):
    batch = Batch(1, "request", 60.0, asyncio.get_running_loop())
    answers.waiting[TOKEN] = batch, 0, 0
    yield batch
    batch.cancel()


def reply(content=b"x", *, token=TOKEN, flags=0, performative=Performative.INFORM):
    return Envelope(bytes(16), int(performative), 5, 1 << 63, content, in_reply_to=token, flags=flags)


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

    assert [(await answers.next()).content, (await answers.next()).content] == [b"late", b"unasked"]
    assert batch.results == [None]


async def test_the_inbox_is_bounded(answers):
    """At most 10,000 messages wait; what comes beyond is dropped and counted, and the oldest are kept."""
    answers.take([reply(str(number).encode(), token=None) for number in range(INBOX_CAPACITY + 5)])

    assert answers.counts["inbox_full"] == 5
    assert answers.counts["unasked"] == INBOX_CAPACITY
    assert (await answers.next()).content == b"0"


async def test_who_waits_for_the_inbox_is_woken(answers):
    """Whoever waits gets the next message, or None when the client is closed; what is there is given out first."""
    async with asyncio.TaskGroup() as group:
        first = group.create_task(answers.next())
        second = group.create_task(answers.next())
        await asyncio.sleep(0)
        answers.take([reply(b"a", token=None)])
        await first
        answers.take([reply(b"b", token=None)])
        await second
        last = group.create_task(answers.next())
        await asyncio.sleep(0)
        answers.close()

    assert {first.result().content, second.result().content} == {b"a", b"b"}
    assert last.result() is None
    answers.take([reply(b"c", token=None)])
    assert (await answers.next()).content == b"c"
