"""Counts the words of files in sandboxed agents: lines go to splitters, words from them to counters, across workers.

Nothing here counts a word. What the agents have done is their state, so that they know it exactly after any crash:
every text was split when the splitters came to the end of as many as were sent, and every word was counted when the
counters have counted as many as the splitters sent.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

from caxton.acl.message import Message
from caxton.acl.options import MAX_TIMEOUT_MS, DeliveryOptions
from caxton.client.client import Client
from caxton.demo.cast import COUNTER_WASM, Cast, counters_for, on_stage
from caxton.demo.lines import texts
from caxton.demo.report import Entry, rank
from caxton.demo.tally import all_counted, reports
from caxton.errors import CaxtonError, InvalidMessageFormat, StorageError
from caxton.wire.told import RouterStats

# Texts handed to the client at a time: enough that what a batch costs is nothing per text.
BATCH_TEXTS, BATCH_BYTES = 2_048, 1 << 20
PATIENT = DeliveryOptions(timeout_ms=MAX_TIMEOUT_MS)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class WordCount:
    """What came of it. seconds: from the first line sent to the last word counted.

    messages_delivered: turns of this run's agents, each counted once. lost: words sent and never counted, which is 0,
    or there is no result. across_workers: messages that went from one worker to another, by the workers' books.
    restarted: workers that ended meanwhile and were started again.
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
    restarted: int

    def values(self) -> dict[str, Any]:
        """Return it as `-o json` prints it; bytes that are not UTF-8 are escaped in `word` and exact in `hex`."""
        top = [{"word": w.decode(errors="backslashreplace"), "hex": w.hex(), "count": n} for w, n in self.top]
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"top": top}


@dataclass(frozen=True)
class Plan:
    """What to count and how: `counters` None is one for each 24 KiB, at least 64."""

    files: Sequence[Path]
    top: int = 20
    counters: int | None = None
    counter_wasm: Path = COUNTER_WASM


async def count_words(client: Client, plan: Plan, advance: Advance) -> WordCount:
    """Count the words of the plan's files; `advance` is told of bytes that were sent.

    Raises ValidationError for a word beyond 60,000 bytes, StorageError for a file that cannot be read,
    InvalidMessageFormat when what answers is no counter, ResourceLimitExceeded when there are too many different words
    for the counters, WasmExecutionFailed when an agent failed, Timeout when nothing gets any further.
    """
    before = await client.stats()
    serving = _incarnations(before)
    counters = plan.counters or counters_for(sum(_size(path) for path in plan.files))
    async with on_stage(client, plan.counter_wasm, counters, len(serving)) as cast:
        started = monotonic()
        sent = await _send_all(client, cast, plan.files, advance)
        done = await all_counted(client, cast, sent.texts)
        seconds = monotonic() - started
        found = await reports(client, cast.counters, plan.top)
        after = await client.stats()
    total = sum(report.total for report in found)
    if total != done.words:
        raise InvalidMessageFormat("reports", f"{total} words in them, and the splitters sent {done.words}")
    return WordCount(
        files=len(plan.files),
        lines=sent.lines,
        total_words=total,
        distinct_words=sum(report.distinct for report in found),
        top=tuple(heapq.nsmallest(plan.top, (entry for report in found for entry in report.top), key=rank)),
        messages_delivered=done.turns + done.counted,
        across_workers=after.totals["taken_from_workers"] - before.totals["taken_from_workers"],
        lost=done.words - done.counted,
        seconds=seconds,
        workers=len(serving),
        restarted=sum(serving.get(shard) != life for shard, life in _incarnations(after).items()),
    )


def _incarnations(stats: RouterStats) -> dict[int, int]:
    """Return which incarnation serves each shard."""
    return {int(worker["shard"]): int(worker["incarnation"]) for worker in stats.workers}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from error


@dataclass
class _Sent:
    texts: int = 0
    lines: int = 0


async def _send_all(client: Client, cast: Cast, files: Sequence[Path], advance: Advance) -> _Sent:
    """Send every file's texts to the splitters in turn; returns how many there were."""
    splitters = cycle(cast.turns)
    sent = _Sent()
    for path in files:
        for batch in _batches(path):
            messages = [
                Message(splitter, cast.header + text, delivery_options=PATIENT)
                for text, splitter in zip(batch.texts, splitters, strict=False)
            ]
            for result in await client.send_batch(messages):
                if isinstance(result, CaxtonError):
                    raise result
            sent.texts += len(batch.texts)
            sent.lines += batch.lines
            advance(batch.size)
    return sent


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
