"""An open loop: messages have their times, whatever the answers do, so a runtime that falls behind is seen to."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load.closed_loop import BATCH, Load, round_of
from bench.load.latencies import Latencies
from bench.load.spaced_latencies import SpacedLatencies
from bench.load.ticks import ticking
from caxton.acl.message import Message
from caxton.client.client import Client

# Shorter ticks wait less, but each batch costs, beside its messages, about 0.12 ms of computing in the client and
# 0.05 ms in the worker (50,000/s at 150 µs against 1,000 µs, two cores). At 165,000/s 300 µs had the lowest p99 of 200,
# 250, 300, 400, 500 and 750: of six runs of half a second with each, the one that others disturbed least.
TICK_US = 300
WARM_UP_S = 1.0
# Messages under way at most: twice what the closed loop needs for its maximum.
MOST_UNDER_WAY = 32 * BATCH
_LOOK_PERIOD_S = 0.25


@dataclass(frozen=True)
class Paced:
    """What became of the messages of an open loop.

    sent, answered, refused, lost: of everything, the warm-up's messages too. measured: messages after the warm-up.
    sending_s: from the intended start of the first of those to the moment when the last of them was sent.
    late: messages that had to wait because MOST_UNDER_WAY others were under way.
    """

    rate_per_s: int
    sent: int
    answered: int
    refused: int
    lost: int
    measured: int
    sending_s: float
    late: int

    @property
    def sent_per_s(self) -> float:
        """What was really sent in a second: the rate, unless the runtime or the client was too slow for it."""
        return self.measured / max(self.sending_s, self.measured / self.rate_per_s)

    @property
    def answered_per_s(self) -> float:
        """How much of that was answered."""
        return self.sent_per_s * self.answered / self.sent

    def figures(self) -> dict[str, int]:
        """Return what a result says of it."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "refused": self.refused,
            "lost": self.lost,
            "late": self.late,
            "sent_per_s": round(self.sent_per_s),
            "answered_per_s": round(self.answered_per_s),
        }


class OpenLoop:
    """Sends requests at a fixed rate, going round `messages`.

    Message number n is to start n / rate seconds after the first. Every tick sends, as one batch, what is due by then;
    a batch has 256 messages at most. A latency counts from the intended start of each message to the completion of its
    batch, however late it was sent: what waits for the tick, for a busy client or for a slow runtime counts too. The
    client tells when a whole batch has ended and not when each of its messages has, so latencies are too long by what
    lies between the first and the last answer of a batch, and never too short.

    At most MOST_UNDER_WAY messages are under way. What is due beyond that is late: it is sent as soon as there is
    room, and its latency counts from when it was to start. So a rate above what the runtime can do shows as latencies
    that grow, and as a load that takes longer than it should.
    """

    def __init__(
        self,
        client: Client,
        messages: Sequence[Message],
        rate_per_s: int,
        warm_up_s: float = WARM_UP_S,
        tick_us: int = TICK_US,
    ) -> None:
        # Its `ask` sends a batch, counts what becomes of it and looks at the answer.
        self._load = Load(client, messages, window=0)
        self._agents = len(messages)
        self._round = round_of(messages)
        self._rate_per_s = rate_per_s
        self._tick_s = tick_us / 1e6
        self._warm_up = round(warm_up_s * rate_per_s)
        self._began_s = 0.0
        self._total = self._begun = self._under_way = self._late = self._late_until = 0
        self._last_sent_s = 0.0
        self._all_begun = asyncio.Event()

    async def run(self, seconds: float, latencies: Latencies, show: Callable[[float, int, int], None]) -> Paced:
        """Send for a warm-up and for so many seconds, wait for all answers, and tell what became of the messages.

        latencies: gets those of the measured seconds. show: told the seconds since the warm-up, the answers and losses.
        """
        spaced = SpacedLatencies(self._rate_per_s, latencies)
        self._total = self._warm_up + max(1, round(seconds * self._rate_per_s))
        async with asyncio.TaskGroup() as tasks:
            self._began_s = time.perf_counter()
            with ticking(self._tick_s, lambda: self._begin_due(tasks, spaced)):
                while not await self._ended_within(_LOOK_PERIOD_S):
                    show(self.elapsed_s, self._load.answered, self._load.unknown)
        spaced.drain()
        load, measured = self._load, self._total - self._warm_up
        sending_s = self._last_sent_s - self._began_s - self._warm_up / self._rate_per_s
        return Paced(
            self._rate_per_s, load.sent, load.answered, load.refused, load.unknown, measured, sending_s, self._late
        )

    @property
    def elapsed_s(self) -> float:
        """Seconds since the warm-up; below 0 during it."""
        return time.perf_counter() - self._began_s - self._warm_up / self._rate_per_s

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._all_begun.wait()
        except TimeoutError:
            return False
        return True

    def _begin_due(self, tasks: asyncio.TaskGroup, spaced: SpacedLatencies) -> None:
        """Send what is due, as far as there is room."""
        elapsed_s = time.perf_counter() - self._began_s
        due = min(self._total, int(elapsed_s * self._rate_per_s) + 1)
        while (count := self._next_batch(due)) > 0:
            tasks.create_task(self._ask(self._begun, count, spaced))
            self._begun += count
            self._under_way += count
        self._late += max(0, due - max(self._begun, self._late_until))
        self._late_until = due
        if self._begun == self._total and not self._all_begun.is_set():
            self._last_sent_s = time.perf_counter()
            self._all_begun.set()

    def _next_batch(self, due: int) -> int:
        """Return how many messages go next; no batch is half of the warm-up and half of what is measured."""
        most = min(BATCH, MOST_UNDER_WAY - self._under_way, due - self._begun)
        return min(most, self._warm_up - self._begun) if self._begun < self._warm_up else most

    async def _ask(self, first: int, count: int, spaced: SpacedLatencies) -> None:
        at = first % self._agents
        try:
            await self._load.ask(self._round[at : at + count])
        except BaseException:
            self._total = self._begun  # a tick may come before the loop has ended: nobody would wait for what it begins
            raise
        self._under_way -= count
        if first >= self._warm_up:
            intended_s = self._began_s + first / self._rate_per_s
            spaced.record(time.perf_counter() - intended_s, count)
