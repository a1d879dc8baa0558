"""What agents cost before they do anything: starts, deployments, memory."""

import statistics
import time
from pathlib import Path
from typing import Any

import psutil
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, echo_wasm, requests_to
from bench.output import Bar
from bench.runtime import serving
from caxton.acl.message import Message
from caxton.client.client import Client

CACHED_DEPLOYMENTS = 50
PAYLOAD = 100
_KB = 1_000


def measure(agents: int, starts: int, workers: int, bar: Bar) -> dict[str, Any]:
    """Start a runtime on a fresh data directory `starts` times; fill the last one with agents."""
    ready_ms, first_ms, rest = [], [], {}
    for start in range(1, starts + 1):
        bar.show(start - 1, f"start {start} of {starts}")
        with serving(workers) as served:
            ready_ms.append(round(served.ready_s * 1e3, 1))
            first_ms.append(uvloop.run(_first_deployment(served.runtime_dir)))
            if start == starts:
                bar.show(start, f"{agents:,} agents")
                rest = uvloop.run(_fill(served.runtime_dir, agents))
    return {
        "ready_ms": _spread(ready_ms),
        "first_deployment_ms": _spread(first_ms),
        **rest,
        "agents": agents,
        "starts": starts,
        "workers": workers,
        "module_bytes": len(echo_wasm()),
    }


async def _first_deployment(runtime_dir: Path) -> float:
    """Return the milliseconds of the first deployment: upload, compilation, registration."""
    async with caxton.connect(runtime_dir) as client:
        return await _deployment_ms(client, "first")


async def _fill(runtime_dir: Path, agents: int) -> dict[str, Any]:
    async with caxton.connect(runtime_dir) as client:
        cached_ms = [await _deployment_ms(client, f"cached-{number}") for number in range(CACHED_DEPLOYMENTS)]
        workers = [psutil.Process(worker["pid"]) for worker in (await client.health())["workers"]]
        resident_before = _resident(workers)
        began_s = time.perf_counter()
        echoes = await deploy_echoes(client, agents)
        many_s = time.perf_counter() - began_s
        resident_registered = _resident(workers)
        instances_before = await _instances(client)
        replies = await client.request_many(requests_to(echoes, PAYLOAD))
        resident_idle = _resident(workers)
        return {
            "cached_deployment_ms": _spread(cached_ms),
            "deploy_many_per_s": round(agents / many_s),
            "registered_kb_each": _kb_each(resident_registered - resident_before, agents),
            "instances_before_first_use": instances_before,
            "idle_instance_kb_each": _kb_each(resident_idle - resident_registered, agents),
            "instances_after_first_use": await _instances(client),
            "answered": sum(isinstance(reply, Message) for reply in replies),
        }


async def _deployment_ms(client: Client, name: str) -> float:
    wasm = echo_wasm()
    began_s = time.perf_counter()
    await client.deploy(name, wasm)
    return round((time.perf_counter() - began_s) * 1e3, 2)


async def _instances(client: Client) -> int:
    return sum(worker["instances"] for worker in (await client.stats())["workers"])


def _resident(workers: list[psutil.Process]) -> int:
    return sum(worker.memory_info().rss for worker in workers)


def _kb_each(resident_bytes: int, agents: int) -> float:
    return round(resident_bytes / agents / _KB, 2)


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 2), "max": max(values)}
