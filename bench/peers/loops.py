"""The two ways in which a client keeps many messages under way: tasks that ask again and again, and whole rounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import uvloop

from bench.load.latencies import Latencies
from bench.peers.form import Alone, Loop, check, two_percentiles

Ask = Callable[[bytes], Awaitable[object]]
AskMany = Callable[[Sequence[bytes]], Awaitable[Sequence[object]]]


def new_runner() -> asyncio.Runner:
    """Return a runner of coroutines under uvloop, one loop for all of them."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def of_tasks(runner: asyncio.Runner, ask: Ask, content: bytes) -> Loop:
    """Return a loop of as many tasks as messages are under way: each asks again when it is answered."""

    async def keep_asking(end_s: float) -> int:
        answered, clock = 0, time.perf_counter
        while clock() < end_s:
            check(await ask(content), content)
            answered += 1
        return answered

    return lambda under_way, seconds: runner.run(_together(keep_asking, under_way, seconds))


def of_batches(runner: asyncio.Runner, ask_many: AskMany, content: bytes, size: int) -> Loop:
    """Return a loop of tasks that ask `size` messages in one call, again and again."""
    # Each a value of its own, as messages are: pickle would send one and the same only once.
    batch = [bytes(bytearray(content)) for _ in range(size)]

    async def keep_asking(end_s: float) -> int:
        answered, clock = 0, time.perf_counter
        while clock() < end_s:
            for answer in await ask_many(batch):
                check(answer, content)
            answered += size
        return answered

    return lambda under_way, seconds: runner.run(_together(keep_asking, under_way // size, seconds))


def of_rounds(ask_all: Callable[[int], Sequence[object]], content: bytes) -> Loop:
    """Return a loop that sends so many messages, waits for the answers to all of them, and sends the next as many."""

    def loop(under_way: int, seconds: float) -> float:
        answered, began_s = 0, time.perf_counter()
        while (elapsed_s := time.perf_counter() - began_s) < seconds:
            for answer in ask_all(under_way):
                check(answer, content)
            answered += under_way
        return answered / elapsed_s

    return loop


def alone_in(runner: asyncio.Runner, ask: Ask, content: bytes) -> Alone:
    """Return what asks one message after the other within one coroutine, so that starting it is not measured."""
    return lambda seconds: runner.run(one_after_the_other(ask, content, seconds))


async def one_after_the_other(ask: Ask, content: bytes, seconds: float) -> dict[str, int]:
    """Ask for so long, and return p50 and p99 in microseconds."""
    latencies, clock = Latencies(), time.perf_counter
    end_s = clock() + seconds
    while (began_s := clock()) < end_s:
        check(await ask(content), content)
        latencies.record(clock() - began_s)
    return two_percentiles(latencies)


async def _together(keep_asking: Callable[[float], Awaitable[int]], tasks: int, seconds: float) -> float:
    """Run so many until the time is over, and return how many answers came a second, with those of the last ones."""
    began_s = time.perf_counter()
    answered = await asyncio.gather(*(keep_asking(began_s + seconds) for _ in range(tasks)))
    return sum(answered) / (time.perf_counter() - began_s)
