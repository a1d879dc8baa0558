"""Counts the words of files in sandboxed agents: lines go to splitters, words from them to counters, across workers.

Nothing here counts a word. That all were counted is known from the runtime's counters and checked against them.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

from caxton.acl.message import Message
from caxton.acl.options import MAX_TIMEOUT_MS, DeliveryOptions
from caxton.client.client import Client
from caxton.demo.cast import COUNTER_WASM, Cast, counters_for, handled, on_stage
from caxton.demo.lines import texts
from caxton.demo.report import Entry, Report, question, rank
from caxton.demo.rest import Rest, Stats, incarnations, owed
from caxton.errors import CaxtonError, InvalidMessageFormat, NetworkError, StorageError, Timeout
from caxton.ids import AgentId

# Texts handed to the client at a time: enough that what a batch costs is nothing per text.
BATCH_TEXTS, BATCH_BYTES = 2_048, 1 << 20
LOOK_EVERY_S = 0.02
QUIET_TIMEOUT_S = 30.0
# By then every message has been handled, or has waited beyond its timeout.
REST_TIMEOUT_S = MAX_TIMEOUT_MS / 1000
REPORT_TIMEOUT_S = 60.0
ASKED_AT_ONCE = 256
PATIENT = DeliveryOptions(timeout_ms=MAX_TIMEOUT_MS)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class WordCount:
    """What came of it. seconds: from the first line sent to the last word counted.

    messages_delivered: turns of this run's agents. across_workers: messages that went from one worker to another.
    """

    files: int
    lines: int
    total_words: int
    distinct_words: int
    top: tuple[Entry, ...]
    messages_delivered: int
    across_workers: int
    lost: int
    seconds: float
    workers: int

    def values(self) -> dict[str, Any]:
        """Return it as `-o json` prints it; bytes that are not UTF-8 are escaped in `word` and exact in `hex`."""
        top = [{"word": w.decode(errors="backslashreplace"), "hex": w.hex(), "count": n} for w, n in self.top]
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"top": top}


@dataclass(frozen=True)
class Plan:
    """What to count and how: `counters` None is one for each MiB, at least 64."""

    files: Sequence[Path]
    top: int = 20
    counters: int | None = None
    counter_wasm: Path = COUNTER_WASM


async def count_words(client: Client, plan: Plan, advance: Advance) -> WordCount:
    """Count the words of the plan's files; `advance` is told of bytes that were sent.

    Raises ValidationError for a word beyond a million bytes, StorageError for a file that cannot be read,
    InvalidMessageFormat when what answers is no counter, NetworkError when a worker ended or anything was lost,
    WasmExecutionFailed when an agent failed, Timeout when the runtime does not come to rest.
    """
    before = await _come_to_rest(client, Rest(), QUIET_TIMEOUT_S)
    workers = len(before["workers"])
    counters = plan.counters or counters_for(sum(_size(path) for path in plan.files))
    async with on_stage(client, plan.counter_wasm, counters, workers) as cast:
        started = monotonic()
        lines = await _send_all(client, cast, plan.files, advance)
        after = await _come_to_rest(client, Rest(owed(before)), REST_TIMEOUT_S, before)
        seconds = monotonic() - started
        lost = _check(before, after)
        of_splitters, of_counters = await handled(client, cast)
        reports = [report async for report in _reports(client, cast.counters, plan.top)]
    total = sum(report.total for report in reports)
    if total != of_counters:
        raise InvalidMessageFormat("reports", f"{total} words in them, and the counters handled {of_counters} messages")
    return WordCount(
        files=len(plan.files),
        lines=lines,
        total_words=total,
        distinct_words=sum(report.distinct for report in reports),
        top=tuple(heapq.nsmallest(plan.top, (entry for report in reports for entry in report.top), key=rank)),
        messages_delivered=of_splitters + of_counters,
        across_workers=after["totals"]["taken_from_workers"] - before["totals"]["taken_from_workers"],
        lost=lost,
        seconds=seconds,
        workers=workers,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from error


async def _come_to_rest(client: Client, rest: Rest, timeout_s: float, before: Stats | None = None) -> Stats:
    """Return the stats of a runtime at rest. What has been lost since `before` would keep it from ever being so."""
    deadline = monotonic() + timeout_s
    while True:
        stats = await client.stats()
        if before is not None:
            _check(before, stats)
        if rest.look(stats):
            return stats
        if monotonic() > deadline:
            raise Timeout("waiting for the runtime to come to rest", timeout_s)
        await asyncio.sleep(LOOK_EVERY_S)


async def _send_all(client: Client, cast: Cast, files: Sequence[Path], advance: Advance) -> int:
    """Send every file's texts to the splitters in turn; returns how many lines there were."""
    splitters = cycle(cast.turns)
    lines = 0
    for path in files:
        for batch in _batches(path):
            messages = [
                Message(splitter, cast.header + text, delivery_options=PATIENT)
                for text, splitter in zip(batch.texts, splitters, strict=False)
            ]
            for result in await client.send_batch(messages):
                if isinstance(result, CaxtonError):
                    raise result
            lines += batch.lines
            advance(batch.size)
    return lines


@dataclass(frozen=True)
class _Batch:
    texts: list[bytes]
    lines: int
    size: int


def _batches(path: Path) -> Iterator[_Batch]:
    batch: list[bytes] = []
    lines = size = 0
    try:
        with path.open("rb") as file:
            for text in texts(file, str(path)):
                batch.append(text.content)
                lines += text.ends_line
                size += len(text.content)
                if len(batch) == BATCH_TEXTS or size >= BATCH_BYTES:
                    yield _Batch(batch, lines, size)
                    batch, lines, size = [], 0, 0
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from error
    if batch:
        yield _Batch(batch, lines, size)


def _check(before: Stats, after: Stats) -> int:
    """Return how many messages were lost meanwhile, which is 0; raises NetworkError if not, or if a worker ended."""
    serving = incarnations(after)
    for shard, incarnation in incarnations(before).items():
        if serving.get(shard) != incarnation:
            raise NetworkError(f"the worker of shard {shard}", "it ended, and what its counters had counted with it")
    lost = int(after["lost"]["total"] - before["lost"]["total"])
    if lost:
        raise NetworkError("the runtime", f"it lost {lost} messages while we counted")
    return lost


async def _reports(client: Client, counters: Sequence[AgentId], top: int) -> AsyncIterator[Report]:
    for first in range(0, len(counters), ASKED_AT_ONCE):
        asked = counters[first : first + ASKED_AT_ONCE]
        replies = await client.request_many([Message(c, question(top)) for c in asked], timeout_s=REPORT_TIMEOUT_S)
        for counter, reply in zip(asked, replies, strict=True):
            report = _read(counter, reply)
            while len(report.top) < min(top, report.distinct):
                more = await client.request(counter, question(top, len(report.top)), timeout_s=REPORT_TIMEOUT_S)
                report = report.continued(_read(counter, more))
            yield report


def _read(counter: AgentId, reply: Message | CaxtonError) -> Report:
    if isinstance(reply, CaxtonError):
        raise reply
    try:
        return Report.parse(reply.content)
    except InvalidMessageFormat as error:
        raise InvalidMessageFormat(f"answer of agent {counter}", error.problem) from None
