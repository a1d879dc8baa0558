"""A load beside its observers: what each process computed while nobody looked, and what it was seen at afterwards."""

import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.load.stretch import Course, Stretch
from bench.sampling.py_spy import recording
from bench.sampling.split import Process
from bench.sampling.stacks import read
from bench.sampling.threads import computed_s, kernel_s, names_of, us_by_name
from caxton.client.client import Client


@dataclass(frozen=True)
class Observed:
    """processes: worker and client. alone: the load that was timed. watched: the same one while py-spy looked.

    kernel_us: per turn, by process: the part of its main thread's time that its system calls took.
    """

    processes: list[Process]
    kernel_us: dict[str, float]
    alone: Stretch
    watched: Stretch


async def pids_of(client: Client) -> dict[str, int]:
    """Return the process ids of the first worker and of this process, the client."""
    return {"worker": int((await client.health()).workers[0].pid), "client": os.getpid()}


async def observe(course: Course, pids: dict[str, int], load: Callable[[], Awaitable[Stretch]]) -> Observed:
    """Run a load twice: for the computing time of its processes, then for their stacks, which slows it a little.

    Raises ConfigurationError when py-spy is missing or may not look.
    """
    names = {name: names_of(pid) for name, pid in pids.items()}
    before, answered_before = {name: computed_s(pid) for name, pid in pids.items()}, course.answered
    kernel_before_s = {name: kernel_s(pid) for name, pid in pids.items()}
    alone = await load()
    turns = max(1, course.answered - answered_before)
    us = {name: us_by_name(before[name], computed_s(pid), names[name], turns) for name, pid in pids.items()}
    kernel_us = {name: (kernel_s(pid) - kernel_before_s[name]) * 1e6 / turns for name, pid in pids.items()}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, name) for name in pids}
        with ExitStack() as recordings:
            for name, pid in pids.items():
                recordings.enter_context(recording(pid, "raw", paths[name]))
            watched = await load()
        stacks = {name: list(read(path.read_text(encoding="utf-8").splitlines())) for name, path in paths.items()}
    processes = [Process(name, names[name], us[name], stacks[name]) for name in pids]
    return Observed(processes, kernel_us, alone, watched)
