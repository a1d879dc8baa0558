"""A stretch of a load: after its warm-up, how many messages ended in how many seconds, and what each of them took."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from bench.computed import computed_s
from bench.load.closed_loop import BATCH, Load
from bench.load.latencies import Latencies
from caxton.acl.message import Message
from caxton.client.client import Client

WARM_UP_S = 1.0
_LOOK_PERIOD_S = 0.25


@dataclass(frozen=True)
class Stretch:
    """What the measured seconds saw. cpu_s: of the client and of all workers together; commits: of all workers."""

    answered: int
    seconds: float
    client_cpu_s: float
    workers_cpu_s: float
    commits: int

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def __add__(self, other: "Stretch") -> "Stretch":
        return Stretch(
            self.answered + other.answered,
            self.seconds + other.seconds,
            self.client_cpu_s + other.client_cpu_s,
            self.workers_cpu_s + other.workers_cpu_s,
            self.commits + other.commits,
        )

    def cpu_us_each(self, parts: int = 1) -> dict[str, float]:
        """Return the computing time that one answer took, or one of its `parts`, in microseconds."""
        each = 1e6 / max(1, self.answered * parts)
        return {"client": round(self.client_cpu_s * each, 2), "workers": round(self.workers_cpu_s * each, 2)}


class Course:
    """Runs stretches of load by one client, one after the other, and counts what became of all that was sent.

    The counts are of everything, from the first message to the last, also of the warm-ups: so they can be compared
    with what the runtime says it lost.
    """

    def __init__(self, client: Client, pids: Sequence[int], answer: bytes | None = None) -> None:
        self._client = client
        self._answer = answer
        self._workers = [psutil.Process(pid) for pid in pids]
        self._itself = psutil.Process()
        self.sent = self.answered = self.refused = self.unknown = 0

    @classmethod
    async def begin(cls, client: Client, answer: bytes | None = None) -> "Course":
        """Return a course for a client whose agents and messages are made: the collector forgets those.

        answer: as of a `Load`.
        """
        workers = (await client.health()).workers
        gc.collect()
        gc.freeze()  # what is here by now stays: the collector need not look at it again
        return cls(client, [worker.pid for worker in workers], answer)

    async def run(
        self,
        messages: Sequence[Message],
        window: int,
        seconds: float,
        latencies: Latencies,
        show: Callable[[float, int], None],
    ) -> Stretch:
        """Keep `window` batches of 256 under way through a warm-up and so many seconds, and let them end.

        latencies: gets those of the measured seconds, from the call to the completion of the batch. show: told how many
        seconds were measured and how many messages were answered.
        """
        measured = Latencies()
        load = Load(self._client, messages, window, lambda s: measured.record(s, BATCH), answer=self._answer)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(load.run())
            await asyncio.sleep(WARM_UP_S)
            measured.clear()
            before, began_s = await self._look(load), time.perf_counter()
            while (elapsed_s := time.perf_counter() - began_s) < seconds and not running.done():
                show(elapsed_s, load.answered)
                await asyncio.sleep(min(_LOOK_PERIOD_S, seconds - elapsed_s))
            after, elapsed_s = await self._look(load), time.perf_counter() - began_s
            latencies.add(measured)
            load.stop()
        self.sent += load.sent
        self.answered += load.answered
        self.refused += load.refused
        self.unknown += load.unknown
        answered, client_s, workers_s, commits = (now - then for now, then in zip(after, before, strict=True))
        return Stretch(int(answered), elapsed_s, client_s, workers_s, int(commits))

    async def run_quietly(self, messages: Sequence[Message], window: int, seconds: float) -> Stretch:
        """Measure a stretch as `run` does, of which nothing is shown and no latency is kept."""
        return await self.run(messages, window, seconds, Latencies(), lambda _seconds, _answered: None)

    def counts(self) -> dict[str, int]:
        """Return what became of all that was sent. What ended neither with an answer nor without effect is lost."""
        return {"sent": self.sent, "answered": self.answered, "refused": self.refused, "lost": self.unknown}

    async def _look(self, load: Load) -> tuple[float, ...]:
        commits: int = (await self._client.stats()).totals.get("commits", 0)
        workers_s = sum(computed_s(worker) for worker in self._workers)
        return load.answered, computed_s(self._itself), workers_s, commits
