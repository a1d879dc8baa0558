"""What traces cost: a client that samples and one that does not take turns in one runtime, in the same run."""

from pathlib import Path
from typing import Any

import caxton
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course
from caxton.acl.message import Message

PAIRS = 8


def pairs_s(seconds: float) -> float:
    """Return how long it takes, about, to measure so many seconds of each."""
    return 2 * (seconds + PAIRS * WARM_UP_S)


async def traced_pairs(
    runtime_dir: Path, messages: list[Message], window: int, seconds: float, ratio: float
) -> dict[str, Any]:
    """Return what is left of the rate, and by what the computing time grows, when so many traces are sampled."""
    async with (
        caxton.connect(runtime_dir) as plain,
        caxton.connect(runtime_dir, trace_sampling_ratio=ratio) as sampling,
    ):
        courses = [await Course.begin(client) for client in (plain, sampling)]
        before = (await plain.stats()).totals
        totals = [await course.run(messages, window, seconds / PAIRS, Latencies(), _show) for course in courses]
        for pair in range(1, PAIRS):
            for place in (0, 1) if pair % 2 == 0 else (1, 0):
                totals[place] += await courses[place].run(messages, window, seconds / PAIRS, Latencies(), _show)
        after = (await plain.stats()).totals
    off, on = totals
    cpu_us = [sum(stretch.cpu_us_each().values()) for stretch in (off, on)]
    return {
        "sampled": ratio,
        "round_trips_per_s": {"off": round(off.per_s), "on": round(on.per_s)},
        "rate_kept": round(on.per_s / off.per_s, 3),
        "cpu_us_each": {"off": off.cpu_us_each(), "on": on.cpu_us_each()},
        "cpu_kept": round(cpu_us[0] / cpu_us[1], 3),
        "spans": after["spans"] - before["spans"],
    }


def _show(_seconds: float, _answered: int) -> None:
    """Show nothing: these stretches are short."""
