"""What the call graph costs while somebody asks for it: stretches with it and without take turns in one runtime."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import caxton
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course
from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.errors import ResourceExhausted
from caxton.testing import eventually
from caxton.wire.call_graph import CALL_GRAPH_LEASE_S

PAIRS = 6
# As often as the dashboard asks.
PERIOD_S = 2.0


def graphed_s(seconds: float) -> float:
    """Return how long it takes, about, to measure so many seconds of each."""
    return 2 * (seconds + PAIRS * WARM_UP_S) + PAIRS * CALL_GRAPH_LEASE_S


async def graphed_pairs(runtime_dir: Path, messages: list[Message], window: int, seconds: float) -> dict[str, Any]:
    """Return what is left of the rate, and by what the computing time grows, and how well the graph is estimated."""
    async with caxton.connect(runtime_dir) as client, caxton.connect(runtime_dir) as asking:
        course = await Course.begin(client)
        off = await course.run(messages, window, seconds / PAIRS, Latencies(), _show)
        on, told = await _while_asked(course, asking, messages, window, seconds / PAIRS)
        for _ in range(1, PAIRS):
            await _until_over(asking)
            off += await course.run(messages, window, seconds / PAIRS, Latencies(), _show)
            more, told = await _while_asked(course, asking, messages, window, seconds / PAIRS)
            on += more
    cpu_us = [sum(stretch.cpu_us_each().values()) for stretch in (off, on)]
    asked = sum(pair.messages_per_s for pair in told.pairs) + told.rest_messages_per_s
    return {
        "round_trips_per_s": {"off": round(off.per_s), "on": round(on.per_s)},
        "rate_kept": round(on.per_s / off.per_s, 3),
        "cpu_us_each": {"off": off.cpu_us_each(), "on": on.cpu_us_each()},
        "cpu_kept": round(cpu_us[0] / cpu_us[1], 3),
        "counted": round(told.counted, 5),
        "messages_per_s_told": round(asked),
        "pairs_told": len(told.pairs),
    }


async def _while_asked(
    course: Course, asking: Client, messages: list[Message], window: int, seconds: float
) -> tuple[Any, caxton.CallGraph]:
    told = await asking.call_graph(500, over_s=0)

    async def ask() -> None:
        nonlocal told
        while True:
            await asyncio.sleep(PERIOD_S)
            with suppress(ResourceExhausted):
                told = await asking.call_graph(500, over_s=0)

    task = asyncio.get_running_loop().create_task(ask())
    try:
        stretch = await course.run(messages, window, seconds, Latencies(), _show)
    finally:
        task.cancel()
    return stretch, told


async def _until_over(client: Client) -> None:
    """Return when the call graph is counted no more."""

    async def is_over() -> bool:
        return not (await client.stats()).totals["call_pairs"]

    await eventually(is_over)


def _show(_seconds: float, _answered: int) -> None:
    """Show nothing: these stretches are short."""
