"""What a subscription keeps until it is read, and how it ends."""

import asyncio

import pytest

from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.interactions.subscription import News, Subscription, may_go_on
from caxton.client.routes.answers import ENDED_KEPT, Answers
from caxton.client.routes.unread import Unread
from caxton.errors import AgentNotFound, ConfigurationError, NetworkError, ResourceExhausted, Timeout
from caxton.links.durable import DurableIncoming

TOKEN = b"t" * 16


def said(performative, content=b"", number=1):
    return Message.of(Envelope(bytes([number]) * 16, int(performative), 7, 1 << 63, content, None, TOKEN))


@pytest.fixture
async def news():
    """News of which two messages and ten bytes may wait; `waits` has how often the next word was waited for."""
    news = News(60, asyncio.get_running_loop(), most=2, most_bytes=10)
    news.waits = []
    news.entry = (said(Performative.SUBSCRIBE).envelope, news, 0, False)
    news.wait = news.waits.append
    yield news
    news.cancel()


async def read(news):
    return [message.content async for message in entered(news)]


def entered(news):
    async def begin():
        return news

    async def cancel(_):
        news.cancelled = True

    return Subscription(begin, cancel, 60)


async def test_informs_are_read_in_order_until_a_failure(news):
    """An agree opens it and is not read; informs are; a failure ends it, after what was told before."""
    news.end(0, said(Performative.AGREE))
    assert await news.opened() is None
    for content in (b"one", b"two"):
        news.end(0, said(Performative.INFORM, content))
    news.end(0, said(Performative.FAILURE, b"tired"))
    news.end(0, said(Performative.INFORM, b"late"))
    subscription = entered(news)
    async with subscription:
        assert [message.content async for message in subscription] == [b"one", b"two"]
        assert subscription.last_word.content == b"tired"
    assert len(news.waits) == 3
    assert news.cancelled


@pytest.mark.parametrize(
    ("contents", "limit"), [([b"", b"", b""], 2), ([b"12345", b"123456"], 10)], ids=["messages", "bytes"]
)
async def test_what_nobody_reads_ends_it(news, contents, limit):
    """One message and one byte too many end it with an error by name, once what is there was read."""
    for content in contents:
        news.end(0, said(Performative.INFORM, content))
    read_first = [(await news.next(60)).content for _ in contents[:-1]]
    assert read_first == contents[:-1]
    with pytest.raises(ResourceExhausted, match=f"unread .* {limit}"):
        await news.next(60)
    assert may_go_on(news.ended)


@pytest.mark.parametrize(
    ("content", "many", "limit"), [(b"", 1_000, 1_000), (bytes(1 << 20), 16, 16 << 20)], ids=["messages", "bytes"]
)
async def test_what_may_wait_unless_told_otherwise(content, many, limit):
    """A thousand messages and 16 MiB can wait; one message and one byte more are too many."""
    news = News(60, asyncio.get_running_loop())
    for _ in range(many):
        news.end(0, said(Performative.INFORM, content))
    assert news.ended is None
    news.end(0, said(Performative.INFORM, b"1"))
    assert isinstance(news.ended, ResourceExhausted)
    assert news.ended.limit == limit
    news.cancel()


async def test_what_is_read_makes_room(news):
    """Only what waits counts, in number and in bytes."""
    for _ in range(5):
        news.end(0, said(Performative.INFORM, b"1234567890"))
        assert (await news.next(60)).content == b"1234567890"
    assert news.ended is None


async def test_the_first_word_has_a_deadline():
    """Nothing at all is a Timeout; after the first word only silence is one."""
    news = News(0, asyncio.get_running_loop())
    assert isinstance(await news.opened(), Timeout)
    news = News(0.01, asyncio.get_running_loop())
    news.end(0, said(Performative.AGREE))
    with pytest.raises(Timeout, match="the next word"):
        await news.next(0.05)


async def test_a_reader_that_is_cancelled_as_something_comes_is_cancelled(news, one_turn_of_the_loop):
    """Its task ends, whatever comes in the same turn of the loop; and what came can be read."""
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(news.next(60))
        await one_turn_of_the_loop()
        news.end(0, said(Performative.INFORM, b"one"))
        reading.cancel()
    assert reading.cancelled()
    assert (await news.next(60)).content == b"one"


async def test_an_error_is_raised_where_it_is_read(news):
    """The end of the worker ends it, for who reads; an agent that is gone is not told of the end."""
    news.end(0, said(Performative.AGREE))
    news.end(0, NetworkError("worker", "it ended"))
    with pytest.raises(NetworkError):
        await read(news)
    assert news.cancelled
    assert [may_go_on(ended) for ended in (AgentNotFound("x"), said(Performative.REFUSE), None)] == [False, False, True]


async def test_a_loop_alone_begins_and_ends_it(news):
    """Without `async with` the loop does both; begun once, it is not begun again, and not read before."""
    news.end(0, said(Performative.INFORM, b"one"))
    news.end(0, said(Performative.REFUSE))
    subscription = entered(news)
    with pytest.raises(ConfigurationError, match="was not begun"):
        await anext(subscription)
    assert [message.content async for message in subscription] == [b"one"]
    assert news.cancelled
    with pytest.raises(ConfigurationError, match="begun before"):
        await subscription.__aenter__()


@pytest.mark.parametrize("is_durable", [False, True], ids=["volatile", "durable"])
async def test_what_comes_after_the_end_is_not_for_the_inbox(is_durable):
    """It is dropped and counted; the tokens that are known are bounded, the oldest is forgotten first."""
    answers = Answers()
    answers.hush(TOKEN)
    late = [said(Performative.INFORM).envelope]
    if is_durable:
        incoming = DurableIncoming(taken=0, refusals=None, window_messages=8, window_bytes=1 << 20)
        answers.take_durable(late, 1, Unread(incoming))
    else:
        answers.take(late)
    assert (len(answers.inbox), answers.counts["after_the_end"]) == (0, 1)
    for number in range(ENDED_KEPT):
        answers.hush(number.to_bytes(16, "big"))
    answers.take(late)
    assert (len(answers.inbox), answers.counts["after_the_end"]) == (1, 1)
