import asyncio
from collections import deque

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.client.attached import agent as attached
from caxton.client.attached.agent import AttachedAgent
from caxton.client.attached.program import Program
from caxton.errors import AgentNotFound
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable
from caxton.wire.calls import AgentView, Attach, Deliveries, Detach, Done, Exchange
from caxton.wire.delivery import AskSeal, Delivery, Sealed

AGENT = AgentId(5)
SESSION = 1 << 63
SEAL = b"s" * 16
VIEW = AgentView(5, "recorder", "running", 0, "attached", (), {}, b"", False, 0, {})


class Shard:
    """The home shard: answers attach, and exchanges with what the test puts in, an error or deliveries.

    An exchange that gives something back is answered at once, and ends the question that is open, as the shard does.
    """

    def __init__(self):
        self.table = SlotTable.even(1)
        self.over = None
        self.number = SESSION
        self.attached = set()
        self.heard = []
        self._answers = deque()
        self._put = asyncio.Event()
        self._exchanged = asyncio.Event()
        self._latest = None
        self.refuses_attach = None
        # The seal of what it is asked for, or why there is none.
        self.seal = SEAL
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
        if isinstance(request, AskSeal):
            if isinstance(self.seal, Exception):
                raise self.seal
            return Sealed(self.seal)
        if isinstance(request, Detach):
            if self.too_early:
                self.too_early -= 1
                raise AgentNotFound(str(AGENT))
            return Done()
        self._latest = request
        self._put.set()
        while request.wait_ms and not (request.most and self._answers) and self._latest is request:
            self._put.clear()
            await self._put.wait()
        if not self._answers or not request.most or self._latest is not request:
            return Deliveries([])
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def exchanges(self):
        return [request for request in self.heard if isinstance(request, Exchange)]

    def ends(self):
        return [end for request in self.exchanges() for end in request.ended]

    async def ended(self, count):
        """Wait until so many messages ended; return their ends."""
        return await self._heard(self.ends, count)

    async def exchanged(self, count):
        """Wait until so many exchanges came."""
        return await self._heard(self.exchanges, count)

    async def _heard(self, what, count):
        async with asyncio.timeout(30):
            while len(what()) < count:
                self._exchanged.clear()
                await self._exchanged.wait()
        return what()

    def kinds(self):
        return [type(request) for request in self.heard]


@pytest.fixture
async def shard():
    return Shard()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(attached, "FIRST_PAUSE_S", 0.0)


@pytest.fixture
def delivery():
    """A function that makes a delivery. Its number is its message's id too, if it is given none."""

    def make(number, content=b"x", attempts=1, message_id=None, sender=9, flags=DURABLE, **fields):
        message_id = (number if message_id is None else message_id).to_bytes(16)
        return Delivery(number, attempts, Envelope(message_id, 7, sender, 5, content, flags=flags, **fields))

    return make


@pytest.fixture
def agent_of(shard):
    """A function that returns an agent whose handler is the given one."""

    def make(
        handler,
        *,
        batch=False,
        drain_s=5,
        concurrency=64,
        order="conversation",
        timeout_s=None,
        state=False,
        **asked,
    ):
        program = Program("recorder", handler, 64, batch=batch, timeout_s=timeout_s, keeps_state=state)
        order, concurrency = ("all", 1) if batch or state or concurrency == 1 else (order, concurrency)
        return AttachedAgent(
            shard,
            AGENT,
            Attach("recorder", **asked),
            program,
            at_once=64,
            concurrency=concurrency,
            order=order,
            drain_s=drain_s,
        )

    return make
