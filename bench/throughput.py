"""How many round trips a second: one client, N workers, every message run in a sandbox, answered and received."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop

import caxton
from bench.echo import deploy_echoes, requests_to
from bench.latency import Latencies
from bench.limit_run import limit_rate
from bench.load import BATCH, Load
from bench.machine import describe
from bench.output import Bar
from bench.runtime import serving

WARM_UP_S = 1.0
_LOOK_PERIOD_S = 0.25


@dataclass(frozen=True)
class Plan:
    """workers: worker processes. payload: bytes of content. window: batches of 256 under way, as for the limit."""

    workers: int
    agents: int
    payload: int
    seconds: float
    window: int


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measure the limit, the runtime, and the limit again, so that a machine that changes its pace changes both."""
    half_s = plan.seconds / 2
    bar.show(0, "the limit, before")
    before = _limit(plan, half_s)
    with serving(plan.workers) as served:
        result = uvloop.run(_measure(plan, served.runtime_dir, bar))
    bar.show(plan.seconds * 1.5 + WARM_UP_S, "the limit, after")
    limit = (before + _limit(plan, half_s)) / 2
    return {
        **result,
        "limit_round_trips_per_s": round(limit),
        "ratio_to_limit": round(result["round_trips_per_s"] / limit, 3),
        "workers": plan.workers,
        "agents": plan.agents,
        "payload": plan.payload,
        "window": plan.window,
        "seconds": plan.seconds,
        "lane": "volatile",
        "machine": describe(),
    }


def _limit(plan: Plan, seconds: float) -> float:
    return limit_rate(plan.workers, plan.agents, plan.payload, seconds, plan.window)


async def _measure(plan: Plan, runtime_dir: Path, bar: Bar) -> dict[str, Any]:
    """Run the load through warm-up and measurement.

    The rate and the latencies are those of the measured seconds; sent, answered and lost are of everything, from the
    first request to the last, so that they can be compared with what the runtime says it lost.
    """
    latencies = Latencies()
    async with caxton.connect(runtime_dir) as client:
        messages = requests_to(await deploy_echoes(client, plan.agents), plan.payload)
        await client.request_many(messages)  # every sandbox is made before
        workers = (await client.health())["workers"]
        processes = [psutil.Process(), *(psutil.Process(worker["pid"]) for worker in workers)]
        load = Load(client, messages, plan.window, lambda seconds: latencies.record(seconds, BATCH))
        gc.collect()
        gc.freeze()  # what is here by now stays: the collector need not look at it again
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(load.run())
            await asyncio.sleep(WARM_UP_S)
            latencies.clear()
            answered, cpu_before_s, began_s = load.answered, _cpu_s(processes), time.perf_counter()
            while (elapsed_s := time.perf_counter() - began_s) < plan.seconds and not running.done():
                bar.show(plan.seconds / 2 + elapsed_s, f"{load.answered:,} round trips")
                await asyncio.sleep(min(_LOOK_PERIOD_S, plan.seconds - elapsed_s))
            round_trips, elapsed_s = load.answered - answered, time.perf_counter() - began_s
            cpu_s = [after - before for before, after in zip(cpu_before_s, _cpu_s(processes), strict=True)]
            latency_us = latencies.summary()
            load.stop()
        stats = await client.stats()
    return {
        "round_trips_per_s": round(round_trips / elapsed_s),
        "sent": load.sent,
        "answered": load.answered,
        "refused": load.refused,
        "lost": load.unknown,
        "lost_by_stats": stats["lost"]["total"],
        "latency_us": latency_us,
        "cpu_us_each": {
            "client": round(cpu_s[0] / max(1, round_trips) * 1e6, 2),
            "workers": round(sum(cpu_s[1:]) / max(1, round_trips) * 1e6, 2),
        },
    }


def _cpu_s(processes: Sequence[psutil.Process]) -> list[float]:
    """Return the seconds that each process has computed, in user and kernel mode, all threads together."""
    return [times.user + times.system for times in (process.cpu_times() for process in processes)]
