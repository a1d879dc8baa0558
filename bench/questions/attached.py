"""How many messages a second one attached program handles, and how a fast one does beside many slow handlers."""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.load.latencies import Latencies
from bench.options import RESULTS_DIR, Payload, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors
from caxton.errors import CaxtonError, NetworkError

FAST, SLOW = "fast", "slow"
BATCH = 256
# Beside the slow ones: messages a second to the fast one, in batches that are due every 10 ms.
RATE, TICK_S = 10_000, 0.01
SECONDS = 5.0
EXAMPLES = "Example: python -m bench attached --count 200000 -o json"
# The program: its fast agent answers at once; of its slow one each call takes until the program ends.
PROGRAM = """
import asyncio, sys
import uvloop
import caxton

async def fast(delivered):
    return b""

async def slow(delivered):
    await asyncio.get_running_loop().create_future()

async def main():
    async with caxton.connect(sys.argv[1]) as client:
        async with client.attach("fast", fast, mailbox_capacity=100_000, at_once=256, order="none"):
            async with client.attach("slow", slow, concurrency=1_000, order="none", drain_s=0):
                print("attached", flush=True)
                await asyncio.to_thread(sys.stdin.read)

uvloop.run(main())
"""


@contextmanager
def _program(runtime_dir: Path) -> Iterator[None]:
    """Run the program until the block ends; raises NetworkError when it ends before it is attached."""
    command = [sys.executable, "-c", PROGRAM, str(runtime_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        try:
            if program.stdout is None or program.stdout.readline() != b"attached\n":
                raise NetworkError("the attached program", "it ended before it was attached")
            yield
        finally:
            program.kill()


def measure(count: int, payload: int, slow: int, bar: Bar) -> dict[str, Any]:
    """Have one program of one worker handle messages of both lanes, and then fast ones beside slow ones."""
    with serving(1) as served, _program(served.runtime_dir):
        return uvloop.run(_measure(served.runtime_dir, count, payload, slow, bar))


async def _measure(runtime_dir: Path, count: int, payload: int, slow: int, bar: Bar) -> dict[str, Any]:
    content = b"x" * payload
    async with caxton.connect(runtime_dir) as client:
        await _rate(client, content, BATCH, Lane.VOLATILE)  # the first are slower
        rates = {}
        for done, lane in enumerate(Lane):
            bar.show(done * count, f"{lane.name.lower()} messages to one program")
            rates[lane.name.lower()] = await _rate(client, content, count, lane)
        bar.show(2 * count, f"beside {slow} slow handlers")
        beside = await _beside(client, content, slow)
    return {
        "messages_per_s": rates,
        "durable_over_volatile": rates["durable"] / rates["volatile"],
        "beside_slow": beside,
        "count": count,
        "payload": payload,
    }


async def _rate(client: caxton.Client, content: bytes, count: int, lane: Lane) -> float:
    """Return how many messages a second are sent, handled, answered and received."""
    fast = client.id_of(FAST)
    options = caxton.DeliveryOptions(reliability=lane.reliability)
    message = caxton.Message(fast, content, delivery_options=options, performative="request")
    batches = iter([[message] * BATCH for _ in range(max(1, count // BATCH))])
    began_s = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(16):
            tasks.create_task(_send(client, batches))
    return max(1, count // BATCH) * BATCH / (time.perf_counter() - began_s)


async def _send(client: caxton.Client, batches: Iterator[list[caxton.Message]]) -> None:
    for batch in batches:
        _check(await client.request_many(batch))


def _check(results: list[caxton.Message | CaxtonError]) -> None:
    for result in results:
        if isinstance(result, CaxtonError):
            raise result


async def _beside(client: caxton.Client, content: bytes, slow: int) -> dict[str, Any]:
    """Ask the fast one in an open loop while handlers of the same program take for ever."""
    await client.send_batch([caxton.Message(client.id_of(SLOW), content)] * slow)
    options = caxton.DeliveryOptions(reliability="at_most_once")
    message = caxton.Message(client.id_of(FAST), content, performative="request", delivery_options=options)
    each, latencies, clock = round(RATE * TICK_S), Latencies(), time.perf_counter

    async def ask(due_s: float) -> None:
        _check(await client.request_many([message] * each))
        latencies.record(clock() - due_s, each)

    gc.collect()
    gc.freeze()
    first_s = clock()
    async with asyncio.TaskGroup() as tasks:
        for tick in range(round(SECONDS / TICK_S)):
            due_s = first_s + tick * TICK_S
            await asyncio.sleep(max(0.0, due_s - clock()))
            tasks.create_task(ask(due_s))
    waiting = (await client.inspect(SLOW)).queued
    return {"slow": slow, "slow_waiting": waiting, "rate": RATE, "latency_us": latencies.summary()}


@reports_errors
def attached(
    count: Annotated[int, typer.Option(min=BATCH, help="Messages of each lane.")] = 200_000,
    payload: Payload = 100,
    slow: Annotated[int, typer.Option(min=1, max=1_000, help="Calls that take for ever, beside the fast ones.")] = 500,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Messages a second through one attached program, and the latency of fast ones beside slow handlers."""
    with bar(total=2 * count) as progress:
        result = measure(count, payload, slow, progress)
    finish("attached", result, output, results)
