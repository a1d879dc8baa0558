"""What an attack costs others: a neighbour that is asked at a rate, memory, disk, and what operators ask."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.guests.echo import echo_wasm, requests_to
from bench.load.latencies import Latencies
from bench.load.open_loop import OpenLoop
from caxton.client.client import Client
from caxton.testing import ServedRuntime, runtime
from faultlab.commands import python
from faultlab.worst.attacks import ATTACKS, BEGUN

# What must hold: docs/security.md says it.
MOST_MIB, MOST_DISK_MIB, MOST_STATS_S, MOST_RATIO = 512.0, 2_048.0, 1.0, 2.0
_ALONE_S, _LOOK_PERIOD_S, _STATS_PERIOD_S = 10.0, 0.25, 2.0
# The attack goes on until its process is ended, and in any case no longer than this after the measured time.
_MORE_S = 30.0
_MIB = 1 << 20
_CAXTON = [sys.executable, "-P", "-m", "caxton"]


@dataclass(frozen=True)
class Cost:
    """What one attack cost. worker_mib, supervisor_mib, disk_mib: beyond what there was before it.

    asked, unanswered: of the neighbour's requests. alone_ms, beside_ms: their p99. stats_s: the longest `caxton stats`.
    """

    attack: str
    seconds: float
    worker_mib: float
    supervisor_mib: float
    disk_mib: float
    stats_s: float
    asked: int
    unanswered: int
    alone_ms: float
    beside_ms: float
    died: int

    @property
    def misses(self) -> list[str]:
        """What does not hold, in a few words each."""
        figures = [
            (max(self.worker_mib, self.supervisor_mib) > MOST_MIB, "memory"),
            (self.disk_mib > MOST_DISK_MIB, "disk"),
            (self.stats_s > MOST_STATS_S, "stats"),
            (self.unanswered > 0, "lost"),
            (self.beside_ms > MOST_RATIO * self.alone_ms + ATTACKS[self.attack].full_turn_ms, "p99"),
            (self.died > 0, "a worker died"),
        ]
        return [name for is_missed, name in figures if is_missed]


async def measured(attack: str, seconds: float, rate_per_s: int) -> Cost:
    """Measure one attack on a runtime of its own, with one worker and default settings."""
    async with runtime() as served:
        async with served.connect() as client:
            cost = await _measured(served, client, attack, seconds, rate_per_s)
        served.kill()  # it may have much to do, and a drain would have to be waited for
    return cost


async def _measured(served: ServedRuntime, client: Client, attack: str, seconds: float, rate_per_s: int) -> Cost:
    requests = requests_to([await client.deploy("neighbour", echo_wasm())], 100)
    worker, began = await served.worker_pid(0), len(served.events)
    alone, beside = Latencies(), Latencies()
    first = await OpenLoop(client, requests, rate_per_s).run(min(_ALONE_S, seconds), alone, _show_nothing)
    with _attacking(served, attack, seconds + _MORE_S):
        async with _watched(served, worker) as seen:
            second = await OpenLoop(client, requests, rate_per_s).run(seconds, beside, _show_nothing)
    return Cost(
        attack,
        seconds,
        seen.most["worker"],
        seen.most["supervisor"],
        seen.most["disk"],
        seen.stats_s,
        first.sent + second.sent,
        sum(paced.sent - paced.answered for paced in (first, second)),
        alone.summary()["p99"] / 1_000,
        beside.summary()["p99"] / 1_000,
        sum(event["event"] == "worker_died" for event in served.events[began:]),
    )


def _show_nothing(*_: float) -> None:
    """Nobody looks."""


class _Seen:
    """The most of each figure beyond what there was at first, in MiB."""

    def __init__(self, served: ServedRuntime, worker: int) -> None:
        self._processes = {"worker": psutil.Process(worker), "supervisor": psutil.Process(served.pid)}
        self._folder = served.data_dir
        self._first = self._now()
        self.most = dict.fromkeys(self._first, 0.0)
        self.stats_s = 0.0

    def look(self) -> None:
        for name, value in self._now().items():
            self.most[name] = max(self.most[name], value - self._first[name])

    def _now(self) -> dict[str, float]:
        found = {name: _resident(process) / _MIB for name, process in self._processes.items()}
        return found | {"disk": _disk(self._folder) / _MIB}


@asynccontextmanager
async def _watched(served: ServedRuntime, worker: int) -> AsyncIterator[_Seen]:
    """Look at memory and disk, and ask for the stats, while the block runs."""
    seen = _Seen(served, worker)

    async def look() -> None:
        while True:
            seen.look()
            await asyncio.sleep(_LOOK_PERIOD_S)

    over = asyncio.Event()

    async def ask() -> None:
        command = [*_CAXTON, "stats", "-o", "json", "--runtime-dir", str(served.runtime_dir)]
        while True:  # once at least, and what was asked is waited for: it may be the slowest
            began_s = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            seen.stats_s = max(seen.stats_s, time.monotonic() - began_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STATS_PERIOD_S):
                    await over.wait()
            if over.is_set():
                return

    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(look())
        tasks.create_task(ask())
        yield seen
        over.set()
        looking.cancel()


@contextmanager
def _attacking(served: ServedRuntime, attack: str, seconds: float) -> Iterator[None]:
    """Let a process attack while the block runs; it has begun when the block begins."""
    command = python("worst.attacks", served.runtime_dir, attack, seconds)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            said = b"" if process.stdout is None else process.stdout.readline()
            if said.strip() != BEGUN.encode():
                raise RuntimeError(f"the attack {attack} did not begin")
            yield
        finally:
            process.kill()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _disk(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue  # it went while we looked
    return total
