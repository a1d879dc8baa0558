"""What agents cost before they do much: starts, deployments, first messages, memory."""

import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, echo_wasm, requests_to, wake
from bench.guests.writer import MEMORY_BYTES, deploy_writers
from bench.load.latencies import Latencies
from bench.options import RESULTS_DIR, Agents, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.acl.message import Message
from caxton.cli.output import Format, Output, reports_errors
from caxton.client.client import Client
from caxton.ids import AgentId

CACHED_DEPLOYMENTS = 200
MOST_WRITERS = 500
PAYLOAD = 100
_KB = 1_000


def measure(agents: int, starts: int, workers: int, bar: Bar) -> dict[str, Any]:
    """Start a runtime on a fresh data directory `starts` times; fill the last one with agents."""
    ready_ms, first_ms, cold_ms, rest = [], [], [], {}
    for start in range(1, starts + 1):
        bar.show(start - 1, f"start {start} of {starts}")
        with serving(workers) as served:
            ready_ms.append(round(served.ready_s * 1e3, 1))
            deployment_ms, message_ms = uvloop.run(_first_deployment(served.runtime_dir))
            first_ms.append(deployment_ms)
            cold_ms.append(message_ms)
            if start == starts:
                bar.show(start, f"{agents:,} agents")
                rest = uvloop.run(_fill(served.runtime_dir, agents))
    return {
        "ready_ms": _spread(ready_ms),
        "first_deployment_ms": _spread(first_ms),
        "first_message_cold_ms": _spread(cold_ms),
        **rest,
        "agents": agents,
        "starts": starts,
        "workers": workers,
        "module_bytes": len(echo_wasm()),
    }


async def _first_deployment(runtime_dir: Path) -> tuple[float, float]:
    """Return the milliseconds of the first deployment (upload, compilation, registration), and of the first message.

    For that message the worker loads what was compiled, and makes its first sandbox.
    """
    async with caxton.connect(runtime_dir) as client:
        agent, deployment_ms = await _deploy(client, "first")
        began_s = time.perf_counter()
        await client.request(agent, b"x" * PAYLOAD)
        return deployment_ms, round((time.perf_counter() - began_s) * 1e3, 2)


async def _fill(runtime_dir: Path, agents: int) -> dict[str, Any]:
    async with caxton.connect(runtime_dir) as client:
        cached = [await _deploy(client, f"cached-{number}") for number in range(CACHED_DEPLOYMENTS)]
        workers = [psutil.Process(worker.pid) for worker in (await client.health()).workers]
        return {
            "cached_deployment_ms": _percentiles([took_ms for _, took_ms in cached]),
            **await _many(client, workers, agents),
            **await _first_messages(client, [agent for agent, _ in cached]),
            **await _written(client, workers, min(agents, MOST_WRITERS)),
        }


async def _many(client: Client, workers: list[psutil.Process], agents: int) -> dict[str, Any]:
    """Register agents, and then send a message to each."""
    instances_before, resident_before = await _instances(client), _resident(workers)
    began_s = time.perf_counter()
    echoes = await deploy_echoes(client, agents)
    many_s = time.perf_counter() - began_s
    resident_registered, instances_registered = _resident(workers), await _instances(client)
    replies = await client.request_many(requests_to(echoes, PAYLOAD))
    resident_idle = _resident(workers)
    return {
        "deploy_many_per_s": round(agents / many_s),
        "registered_kb_each": _kb_each(resident_registered - resident_before, agents),
        "instances_before_first_use": instances_registered - instances_before,
        "idle_instance_kb_each": _kb_each(resident_idle - resident_registered, agents),
        "instances_after_first_use": await _instances(client) - instances_before,
        "answered": sum(isinstance(reply, Message) for reply in replies),
    }


async def _first_messages(client: Client, agents: list[AgentId]) -> dict[str, Any]:
    """Ask each agent, one at a time: first when it has no instance, and then when it has one."""
    first, next_ = Latencies(), Latencies()
    for latencies in (first, next_):
        for agent in agents:
            began_s = time.perf_counter()
            await client.request(agent, b"x" * PAYLOAD)
            latencies.record(time.perf_counter() - began_s)
    return {"first_message_us": first.summary(), "next_message_us": next_.summary()}


async def _written(client: Client, workers: list[psutil.Process], count: int) -> dict[str, Any]:
    """Let agents write to all of their memory; raises the error of the first that does not."""
    writers = await deploy_writers(client, count)
    resident_before = _resident(workers)
    await wake(client, requests_to(writers, 0))
    return {
        "touched_instance_kb_each": _kb_each(_resident(workers) - resident_before, count),
        "touched_memory_kb": MEMORY_BYTES / _KB,
        "touched": count,
    }


async def _deploy(client: Client, name: str) -> tuple[AgentId, float]:
    wasm = echo_wasm()
    began_s = time.perf_counter()
    agent = await client.deploy(name, wasm)
    return agent, round((time.perf_counter() - began_s) * 1e3, 2)


async def _instances(client: Client) -> int:
    return sum(int(worker["instances"]) for worker in (await client.stats()).workers)


def _resident(workers: list[psutil.Process]) -> int:
    return sum(worker.memory_info().rss for worker in workers)


def _kb_each(resident_bytes: int, agents: int) -> float:
    return round(resident_bytes / agents / _KB, 2)


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 2), "max": max(values)}


def _percentiles(values: list[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(values, n=100, method="inclusive")
    found = {"p90": hundredths[89], "p99": hundredths[98]}
    return _spread(values) | {name: round(value, 2) for name, value in found.items()}


EXAMPLES = "Example: python -m bench agents --agents 10000 -o json"


@reports_errors
def agents(
    agents: Agents = 10_000,
    starts: Annotated[int, typer.Option(min=1, help="Starts on fresh directories; the median is shown.")] = 5,
    workers: Workers = 2,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Start of a runtime, deployments, first messages, and what an agent takes of memory."""
    with bar(total=starts + 1) as progress:
        result = measure(agents, starts, workers, progress)
    finish("agents", result, output, results)
