"""What becomes of what a handler returns and raises, one at a time, several at a time, and in batches."""

import asyncio

import pytest

from caxton.acl.envelope import DURABLE
from caxton.acl.message import Message
from caxton.errors import QueueFull, ValidationError, to_fields
from caxton.wire.calls import Deliveries, Failed


async def test_what_the_handler_ends_goes_back_with_the_next_question(shard, agent_of, delivery):
    """Each delivery ends with what its handler said, and its number."""
    seen = []

    async def handler(message):
        seen.append((message.message.content, message.delivery_count))
        return b"answer" if message.message.reply_with else [Message(7, b"on")]

    async with agent_of(handler) as agent:
        shard.put(Deliveries([delivery(3, b"a"), delivery(4, b"b", attempts=2, reply_with=b"r" * 16)]))
        first, second = (await shard.exchanged(2))[:2]
        assert not agent.is_detached
    assert (first.ended, first.most, first.agent_id, first.seen) == ([], 64, 5, None)
    assert ([(end.delivery, end.error) for end in second.ended], second.seen) == ([(3, None), (4, None)], 4)
    on, answer = (end.messages[0] for end in second.ended)
    assert (on.receiver, on.content, on.sender, on.flags) == (7, b"on", 0, DURABLE)
    assert (answer.receiver, answer.content, answer.in_reply_to) == (9, b"answer", b"r" * 16)
    assert seen == [(b"a", 1), (b"b", 2)]
    assert agent.is_detached
    assert agent.counts == {"attached": 1, "handled": 2, "failed": 0}


async def test_each_ends_by_itself(shard, agent_of, delivery):
    """A message that is handled goes back while the handler still runs for those of others, which are kept."""
    go_on = asyncio.Event()

    async def handler(message):
        if message.message.content == b"slow":
            await go_on.wait()

    async with agent_of(handler):
        shard.put(Deliveries([delivery(1, b"slow", sender=8), delivery(2, sender=9)]))
        assert [end.delivery for end in await shard.ended(1)] == [2]
        shard.put(Deliveries([delivery(3, sender=9)]))
        assert [end.delivery for end in await shard.ended(2)] == [2, 3]
        assert [exchange.kept for exchange in shard.exchanges() if exchange.ended] == [[1], [1]]
        go_on.set()
        assert [end.delivery for end in await shard.ended(3)] == [2, 3, 1]


async def test_no_more_run_than_are_allowed(shard, agent_of, delivery):
    """Whatever is given, the handler runs `concurrency` times at once, and each message has its turn."""
    running, most, go_on = 0, 0, asyncio.Event()

    async def handler(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1

    async with agent_of(handler, concurrency=2):
        shard.put(Deliveries([delivery(n, sender=n) for n in range(1, 6)]))
        await shard.exchanged(2)
        go_on.set()
        assert {end.delivery for end in await shard.ended(5)} == {1, 2, 3, 4, 5}
    assert most == 2


async def test_a_handler_that_raises_ends_its_delivery_with_the_error(shard, agent_of, delivery):
    """The runtime tries it again, as the message's options say; those of other senders are handled."""

    async def handler(message):
        if message.message.content == b"bad":
            raise RuntimeError("no\ud800" + "x" * 300)

    async with agent_of(handler) as agent:
        shard.put(Deliveries([delivery(1, b"bad"), delivery(2, sender=8)]))
        ends = await shard.ended(2)
    assert ends[0].error.startswith("RuntimeError: no?xxx")
    assert len(ends[0].error) == 255
    assert (ends[1].error, agent.counts["failed"], agent.counts["handled"]) == (None, 1, 1)


async def test_what_is_behind_a_failure_waits_at_its_shard(shard, agent_of, delivery):
    """Messages behind one that failed go back, not begun: they are given again behind its next try."""

    async def handler(message):
        assert message.message.content != b"bad"

    async with agent_of(handler):
        shard.put(Deliveries([delivery(1, b"bad"), delivery(2), delivery(3)]))
        await shard.ended(1)
    (exchange,) = [exchange for exchange in shard.exchanges() if exchange.ended]
    assert ([end.delivery for end in exchange.ended], exchange.returned, exchange.kept) == ([1], [2, 3], [])


async def test_a_batch_handler_gets_all_at_once(shard, agent_of, delivery):
    """With batch=True one call has all deliveries of a frame, and what it raises is the error of each."""
    batches = []

    async def handler(messages):
        batches.append([m.message.content for m in messages])
        if b"bad" in batches[-1]:
            raise OSError("disk")
        return None if len(messages) == 1 else [None, [Message(7, b"on")]]

    async with agent_of(handler, batch=True):
        shard.put(Deliveries([delivery(1, b"a"), delivery(2, b"b")]))
        shard.put(Deliveries([delivery(3, b"c")]), Deliveries([delivery(4, b"bad"), delivery(5)]))
        ends = await shard.ended(5)
    assert batches == [[b"a", b"b"], [b"c"], [b"bad", b"x"]]
    assert [len(end.messages) for end in ends] == [0, 1, 0, 0, 0]
    assert [end.error for end in ends] == [None] * 3 + ["OSError: disk"] * 2


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("own", [False, True])
async def test_a_cancellation_that_is_not_the_end_is_an_error_of_the_handler(
    shard, agent_of, delivery, caplog, batch, own
):
    """A handler that awaits what others cancel, or cancels itself, has failed in this turn; the next one goes on."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    begun = []

    async def handler(_):
        begun.append(asyncio.current_task())
        if len(begun) == 1:
            if own:
                asyncio.current_task().cancel()
                await asyncio.get_running_loop().create_future()
            await shared

    async with agent_of(handler, batch=batch) as agent:
        shard.put(Deliveries([delivery(1)]), Deliveries([delivery(2, sender=8)]))
        ends = await shard.ended(2)
    assert [end.error for end in ends] == ["CancelledError: what it waited for was cancelled", None]
    assert agent.counts == {"attached": 1, "handled": 1, "failed": 1}
    assert [record.exc_info[0] for record in caplog.records] == [asyncio.CancelledError]


@pytest.mark.parametrize("batch", [False, True])
async def test_the_errors_of_a_handler_are_in_the_log(shard, agent_of, delivery, caplog, batch):
    """What a handler raises, and that it returned what cannot be sent, is logged once, with the traceback."""

    async def handler(_):
        if not shard.ends():
            raise KeyError("mine")
        return 5

    async with agent_of(handler, batch=batch):
        shard.put(Deliveries([delivery(1)]), Deliveries([delivery(2)]))
        await shard.ended(2)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "the handler of agent 'recorder' failed")
    ] * 2
    assert [r.exc_info[0] for r in caplog.records] == [KeyError, ValidationError]


async def test_what_was_not_sent_is_kept_to_be_looked_at(shard, agent_of, delivery):
    """Refusals of messages that turns sent are errors with their types, counted."""

    async def handler(_):
        pass

    full = QueueFull("x", 1, 1)
    async with agent_of(handler) as agent:
        shard.put(Deliveries([delivery(1)], [Failed("QueueFull", to_fields(full))]))
        await shard.exchanged(2)
    assert [str(error) for error in agent.not_sent] == [str(full)]
    assert agent.counts["not_sent"] == 1


async def test_a_hundred_of_what_was_not_sent_are_kept(shard, agent_of, delivery):
    """The latest hundred are there to be looked at, and all are counted."""

    async def handler(_):
        pass

    refused = [Failed("QueueFull", to_fields(QueueFull(str(n), 1, 1))) for n in range(101)]
    async with agent_of(handler) as agent:
        shard.put(Deliveries([delivery(1)], refused))
        await shard.exchanged(2)
    assert [str(error) for error in agent.not_sent] == [str(QueueFull(str(n), 1, 1)) for n in range(1, 101)]
    assert agent.counts["not_sent"] == 101


async def test_much_that_is_sent_goes_back_before_more_is_handled(shard, agent_of, delivery):
    """When turns have sent a megabyte, the rest waits until that is given back, and is handled then."""
    begun = []

    async def handler(message):
        begun.append((message.message.content, len(shard.ends())))
        return [Message(7, bytes(1 << 20))]

    async with agent_of(handler):
        shard.put(Deliveries([delivery(1, b"1"), delivery(2, b"2"), delivery(3, b"3", sender=8)]))
        await shard.ended(3)
    assert sorted(begun) == [(b"1", 0), (b"2", 1), (b"3", 2)]


@pytest.mark.parametrize("batch", [False, True])
async def test_a_call_that_takes_too_long_has_failed(shard, agent_of, delivery, caplog, batch):
    """Beyond its timeout a call is cancelled, and its message failed, by name; what a handler raises is its own."""
    waiting = asyncio.get_running_loop().create_future()

    async def handler(given):
        if (given[0] if batch else given).message.content == b"own":
            raise TimeoutError("mine")
        await waiting

    async with agent_of(handler, batch=batch, timeout_s=0.01):
        shard.put(Deliveries([delivery(1, b"slow")]))
        await shard.ended(1)
        shard.put(Deliveries([delivery(2, b"own", sender=8)]))
        ends = await shard.ended(2)
    assert [end.error for end in ends] == ["TimeoutError: it took longer than 0.01 s", "TimeoutError: mine"]
    assert waiting.cancelled()
