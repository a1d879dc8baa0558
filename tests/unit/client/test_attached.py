import asyncio
from collections import deque

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.message import Message
from caxton.client.attached import agent as attached
from caxton.client.attached.agent import MOST_REFUSED, AttachedAgent
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    AlreadyAttached,
    ConfigurationError,
    NetworkError,
    QueueFull,
    SecurityError,
    ShardUnavailable,
    Timeout,
    ValidationError,
    to_fields,
)
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable
from caxton.wire.calls import AgentView, Attach, Deliveries, Delivery, Detach, Done, Exchange, Failed

AGENT = AgentId(5)
VIEW = AgentView(5, "recorder", "running", 0, "attached", (), {}, b"", False, 0, {})


def delivery(number, content=b"x", attempts=1, reply_with=None):
    return Delivery(number, attempts, Envelope(bytes(16), 7, 9, 5, content, reply_with, flags=DURABLE))


class Shard:
    """The home shard: answers attach, and exchanges with what the test puts in, an error or deliveries."""

    def __init__(self):
        self.table = SlotTable.even(1)
        self.over = None
        self.attached = set()
        self.heard = []
        self._answers = deque()
        self._put = asyncio.Event()
        self._exchanged = asyncio.Event()
        self.refuses_attach = None
        # Detaches that come before the agent is attached.
        self.too_early = 0

    def put(self, *answers):
        self._answers.extend(answers)
        self._put.set()

    async def call(self, shard, request, answer, timeout_s):
        self.heard.append(request)
        self._exchanged.set()
        if isinstance(request, Attach):
            if self.refuses_attach is not None:
                raise self.refuses_attach
            return VIEW
        if isinstance(request, Detach):
            if self.too_early:
                self.too_early -= 1
                raise AgentNotFound(str(AGENT))
            return Done()
        if request.most == 0:
            return Deliveries([])
        while not self._answers:
            self._put.clear()
            await self._put.wait()
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def exchanges(self):
        return [request for request in self.heard if isinstance(request, Exchange)]

    async def exchanged(self, count):
        """Wait until so many exchanges came."""
        async with asyncio.timeout(30):
            while len(self.exchanges()) < count:
                self._exchanged.clear()
                await self._exchanged.wait()
        return self.exchanges()

    def kinds(self):
        return [type(request) for request in self.heard]


@pytest.fixture
async def shard():
    return Shard()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(attached, "FIRST_PAUSE_S", 0.0)


def agent_of(shard, handler, *, batch=False, drain_s=5):
    return AttachedAgent(shard, AGENT, Attach("recorder"), handler, 64, batch=batch, drain_s=drain_s)


async def test_an_attached_agent_has_one_block(shard):
    """Entering it again, inside its block or after it, says what to do."""

    async def handler(message):
        """Say nothing."""

    async with agent_of(shard, handler) as agent:
        with pytest.raises(ConfigurationError, match="attach again"):
            await agent.__aenter__()
    with pytest.raises(ConfigurationError, match="attach again"):
        await agent.__aenter__()


async def test_what_the_handler_ends_goes_back_with_the_next_question(shard):
    """Each delivery ends with what its handler said, and its number."""
    seen = []

    async def handler(message):
        seen.append((message.message.content, message.delivery_count))
        return b"answer" if message.message.reply_with else [Message(7, b"on")]

    async with agent_of(shard, handler) as agent:
        shard.put(Deliveries([delivery(3, b"a"), delivery(4, b"b", attempts=2, reply_with=b"r" * 16)]))
        first, second = await shard.exchanged(2)
        assert not agent.is_detached
    assert (first.ended, first.most, first.agent_id) == ([], 64, 5)
    assert [(end.delivery, end.error) for end in second.ended] == [(3, None), (4, None)]
    on, answer = (end.messages[0] for end in second.ended)
    assert (on.receiver, on.content, on.sender, on.flags) == (7, b"on", 0, DURABLE)
    assert (answer.receiver, answer.content, answer.in_reply_to) == (9, b"answer", b"r" * 16)
    assert seen == [(b"a", 1), (b"b", 2)]
    assert agent.is_detached
    assert agent.counts == {"attached": 1, "handled": 2, "failed": 0}


async def test_a_client_attaches_an_agent_once_at_a_time(shard):
    """A second block for the same agent is refused by name, for the two would take each other's messages for ever."""

    async def handler(message):
        pass

    async with agent_of(shard, handler):
        with pytest.raises(AlreadyAttached, match="already"):
            async with agent_of(shard, handler):
                pass
    shard.refuses_attach = QueueFull("x", 1, 1)
    with pytest.raises(QueueFull):
        await agent_of(shard, handler).__aenter__()
    shard.refuses_attach = None
    async with agent_of(shard, handler) as agent:
        assert agent.counts["attached"] == 1


async def test_a_handler_that_raises_ends_its_delivery_with_the_error(shard):
    """The runtime tries it again, as the message's options say; the others of the frame are handled."""

    async def handler(message):
        if message.message.content == b"bad":
            raise RuntimeError("no\ud800" + "x" * 300)

    async with agent_of(shard, handler) as agent:
        shard.put(Deliveries([delivery(1, b"bad"), delivery(2)]))
        ends = (await shard.exchanged(2))[1].ended
    assert ends[0].error.startswith("RuntimeError: no?xxx")
    assert len(ends[0].error) == 255
    assert (ends[1].error, agent.counts["failed"], agent.counts["handled"]) == (None, 1, 1)


async def test_a_batch_handler_gets_all_at_once(shard):
    """With batch=True one call has all deliveries of a frame, and what it raises is the error of each."""
    batches = []

    async def handler(messages):
        batches.append([m.message.content for m in messages])
        if b"bad" in batches[-1]:
            raise OSError("disk")
        return None if len(messages) == 1 else [None, [Message(7, b"on")]]

    async with agent_of(shard, handler, batch=True):
        shard.put(Deliveries([delivery(1, b"a"), delivery(2, b"b")]))
        shard.put(Deliveries([delivery(3, b"c")]), Deliveries([delivery(4, b"bad"), delivery(5)]))
        exchanges = await shard.exchanged(4)
    assert batches == [[b"a", b"b"], [b"c"], [b"bad", b"x"]]
    assert [[len(end.messages) for end in exchange.ended] for exchange in exchanges] == [[], [0, 1], [0], [0, 0]]
    assert [end.error for end in exchanges[3].ended] == ["OSError: disk"] * 2


@pytest.mark.parametrize("passing", [NetworkError("worker", "it ended"), ShardUnavailable(0, "restarting")])
async def test_it_attaches_again_when_its_worker_ends(shard, passing):
    """What had ended and was not confirmed is forgotten, for it comes again if it was not committed."""

    async def handler(message):
        pass

    async with agent_of(shard, handler) as agent:
        shard.put(Deliveries([delivery(1)]), passing, passing, Deliveries([delivery(1, attempts=2)]))
        exchanges = await shard.exchanged(5)
    assert [len(exchange.ended) for exchange in exchanges] == [0, 1, 0, 0, 1]
    assert shard.kinds()[:6] == [Attach, Exchange, Exchange, Attach, Exchange, Attach]
    assert agent.counts == {"attached": 3, "handled": 2, "failed": 0, "unconfirmed": 1}


async def test_a_refusal_to_attach_again_ends_the_block(shard):
    """The block is cancelled, and its error is the reason itself."""

    async def handler(message):
        pass

    agent = agent_of(shard, handler)

    async def block():
        async with agent:
            shard.refuses_attach = AgentNotRunning("recorder", "stopped")
            shard.put(NetworkError("worker", "it ended"))
            await asyncio.get_running_loop().create_future()

    with pytest.raises(AgentNotRunning, match="stopped"):
        await block()
    assert agent.is_detached
    await agent.wait()


async def test_an_agent_that_was_removed_stays_removed(shard):
    """Its block ends with AgentNotFound under its name, and says what to do; it is not registered again."""

    async def handler(message):
        pass

    async def block():
        async with agent_of(shard, handler):
            shard.refuses_attach = AgentNotFound(str(AGENT))
            shard.put(AgentNotFound(str(AGENT)))
            await asyncio.get_running_loop().create_future()

    with pytest.raises(AgentNotFound, match="no agent recorder; it was removed while"):
        await block()
    assert [request.again for request in shard.heard if isinstance(request, Attach)] == [False, True]


@pytest.mark.parametrize("early", [0, 2])
@pytest.mark.parametrize("ends", ["cancelled", "late"])
async def test_an_attach_that_nobody_waits_for_is_taken_back(shard, ends, early):
    """Cancelled, or out of time, it detaches, again when it was before the agent is attached; and may be repeated."""

    async def handler(message):
        pass

    shard.refuses_attach = asyncio.CancelledError() if ends == "cancelled" else Timeout("Attach on shard 0", 10)
    shard.too_early = early
    with pytest.raises(type(shard.refuses_attach)):
        await agent_of(shard, handler).__aenter__()
    assert shard.kinds() == [Attach, *[Detach] * (early + 1)]
    assert shard.attached == set()


@pytest.mark.parametrize("batch", [True, False])
async def test_a_handler_that_is_not_async_ends_the_block(shard, batch):
    """The error says how to write it; nothing of what it was given has ended."""
    shard.put(Deliveries([delivery(1)]))
    with pytest.raises(ValidationError, match="async def"):
        async with agent_of(shard, lambda _: b"at once", batch=batch):
            await asyncio.get_running_loop().create_future()
    assert [exchange.ended for exchange in shard.exchanges()] == [[]]


async def test_the_end_of_the_runtime_ends_the_block(shard):
    """When nothing can come any more, nobody waits for ever."""

    async def handler(message):
        pass

    async def block():
        async with agent_of(shard, handler):
            shard.over = NetworkError("the runtime", "it ended; start it and connect again")
            shard.put(shard.over)
            await asyncio.get_running_loop().create_future()

    with pytest.raises(NetworkError, match="it ended; start it"):
        await block()


async def test_a_shard_that_refuses_every_exchange_ends_the_block(shard):
    """After five refusals in a row, between which it could attach, the reason is raised."""

    async def handler(message):
        pass

    shard.put(*[SecurityError("not yours")] * MOST_REFUSED)
    with pytest.raises(SecurityError, match="not yours"):
        async with agent_of(shard, handler):
            await asyncio.get_running_loop().create_future()
    assert len(shard.exchanges()) == MOST_REFUSED


async def test_who_is_refused_at_first_does_not_enter(shard):
    """Entering raises why the runtime does not let it attach, and nothing is left behind."""

    async def handler(message):
        pass

    shard.refuses_attach = SecurityError("another session runs it")
    agent = agent_of(shard, handler)
    with pytest.raises(SecurityError, match="another session"):
        await agent.__aenter__()
    assert shard.kinds() == [Attach]
    assert agent.is_detached


async def test_the_turn_that_runs_is_given_back_at_the_end(shard):
    """When the block ends, the handler that runs is awaited, its end given back; the rest of the frame is not begun."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def handler(message):
        began.set()
        await go_on.wait()

    async with agent_of(shard, handler):
        shard.put(Deliveries([delivery(1), delivery(2)]))
        await began.wait()
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, go_on.set)
    assert shard.kinds() == [Attach, Exchange, Exchange, Detach]
    last = shard.exchanges()[-1]
    assert ([end.delivery for end in last.ended], last.most, last.wait_ms) == ([1], 0, 0)


async def test_an_error_in_the_block_cancels_the_handler(shard):
    """The block's error is raised as it is, and the agent detached."""
    began = asyncio.Event()

    async def handler(message):
        began.set()
        await asyncio.get_running_loop().create_future()

    async def block():
        async with agent_of(shard, handler):
            shard.put(Deliveries([delivery(1)]))
            await began.wait()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await block()
    assert shard.kinds() == [Attach, Exchange, Detach]


@pytest.mark.parametrize("batch", [False, True])
async def test_a_turn_that_outlasts_the_drain_is_cut_short(shard, batch):
    """When the drain is over the handler is cancelled: its turn has not ended, and what ended before is given back."""
    began = asyncio.Event()

    async def handler(message):
        if batch or message.message.content == b"slow":
            began.set()
            await asyncio.get_running_loop().create_future()

    async with asyncio.timeout(30):
        async with agent_of(shard, handler, batch=batch, drain_s=0.01):
            shard.put(Deliveries([delivery(1), delivery(2, b"slow"), delivery(3)]))
            await began.wait()
    last = shard.exchanges()[-1]
    assert [end.delivery for end in last.ended] == ([] if batch else [1])
    assert shard.kinds()[-1] is Detach


async def test_a_handler_that_is_cut_short_may_end_its_turn_all_the_same(shard):
    """A handler that catches its cancellation and returns has ended its turn, which is given back."""
    began = asyncio.Event()

    async def handler(message):
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return

    async with asyncio.timeout(30):
        async with agent_of(shard, handler, drain_s=0):
            shard.put(Deliveries([delivery(1), delivery(2)]))
            await began.wait()
    assert [end.delivery for end in shard.exchanges()[-1].ended] == [1]


@pytest.mark.parametrize("batch", [False, True])
async def test_what_a_handler_awaits_may_be_cancelled_by_others(shard, caplog, batch):
    """A handler that meets a cancellation which is not its own has failed in this turn, and goes on with the next."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()

    async def handler(message):
        if not shard.exchanges()[1:]:
            await shared

    async with agent_of(shard, handler, batch=batch) as agent:
        shard.put(Deliveries([delivery(1)]), Deliveries([delivery(2)]))
        exchanges = await shard.exchanged(3)
    assert [end.error for exchange in exchanges for end in exchange.ended] == [
        "CancelledError: what it waited for was cancelled",
        None,
    ]
    assert agent.counts == {"attached": 1, "handled": 1, "failed": 1}
    assert [record.exc_info[0] for record in caplog.records] == [asyncio.CancelledError]


async def test_whoever_cancels_the_serving_ends_it(shard):
    """A cancellation of all tasks ends the handler as it ends everything: that is no failure of its turn."""
    began = asyncio.Event()

    async def handler(message):
        began.set()
        await asyncio.get_running_loop().create_future()

    async with agent_of(shard, handler) as agent:
        shard.put(Deliveries([delivery(1)]))
        await began.wait()
        agent._task.cancel()
        await agent.wait()
    assert shard.kinds() == [Attach, Exchange, Detach]


@pytest.mark.parametrize("batch", [False, True])
async def test_the_errors_of_a_handler_are_in_the_log(shard, caplog, batch):
    """What a handler raises, and that it returned what cannot be sent, is logged once, with the traceback."""

    async def handler(message):
        if not shard.exchanges()[1:]:
            raise KeyError("mine")
        return 5

    async with agent_of(shard, handler, batch=batch):
        shard.put(Deliveries([delivery(1)]), Deliveries([delivery(2)]))
        await shard.exchanged(3)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "the handler of agent 'recorder' failed")
    ] * 2
    assert [r.exc_info[0] for r in caplog.records] == [KeyError, ValidationError]


async def test_an_open_question_is_dropped_at_the_end(shard):
    """A block that ends while nothing comes ends at once."""

    async def handler(message):
        pass

    async with asyncio.timeout(30):
        async with agent_of(shard, handler):
            await shard.exchanged(1)
    assert shard.kinds() == [Attach, Exchange, Detach]


async def test_what_was_not_sent_is_kept_to_be_looked_at(shard):
    """Refusals of messages that turns sent are errors with their types, counted."""

    async def handler(message):
        pass

    full = QueueFull("x", 1, 1)
    async with agent_of(shard, handler) as agent:
        shard.put(Deliveries([delivery(1)], [Failed("QueueFull", to_fields(full))]))
        await shard.exchanged(2)
    assert [str(error) for error in agent.not_sent] == [str(full)]
    assert agent.counts["not_sent"] == 1


async def test_much_that_is_sent_goes_back_before_more_is_handled(shard):
    """When a turn has sent a megabyte, the rest of the frame is left, and is given again."""

    async def handler(message):
        return [Message(7, bytes(1 << 20))]

    async with agent_of(shard, handler):
        shard.put(Deliveries([delivery(1), delivery(2)]))
        exchanges = await shard.exchanged(2)
    assert [end.delivery for end in exchanges[1].ended] == [1]
