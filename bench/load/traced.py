"""What traces cost: a client that samples and one that does not take turns in one runtime, in the same run."""

from functools import partial
from pathlib import Path
from typing import Any

import caxton
from bench.load.beside import in_pairs
from bench.load.stretch import Course
from caxton.acl.message import Message


async def traced_pairs(
    runtime_dir: Path, messages: list[Message], window: int, seconds: float, ratio: float
) -> dict[str, Any]:
    """Return what is left of the rate, and by what the computing time grows, when so many traces are sampled."""
    async with (
        caxton.connect(runtime_dir) as plain,
        caxton.connect(runtime_dir, trace_sampling_ratio=ratio) as sampling,
    ):
        off, on = [await Course.begin(client) for client in (plain, sampling)]
        before = (await plain.stats()).totals
        compared = await in_pairs(
            seconds, partial(off.run_quietly, messages, window), partial(on.run_quietly, messages, window)
        )
        after = (await plain.stats()).totals
    return {"sampled": ratio, **compared, "spans": after["spans"] - before["spans"]}
