"""How long one request takes when nothing else is under way."""

import gc
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes
from bench.load.latencies import Latencies
from bench.options import RESULTS_DIR, Payload, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.cli.output import Format, Output, reports_errors

WARM_UP = 500
_SHOW_EVERY = 1_000


def measure(count: int, workers: int, payload: int, bar: Bar) -> dict[str, Any]:
    """Send `count` requests one after another to one echo agent; the client is this process, under uvloop."""
    with serving(workers) as served:
        latencies = uvloop.run(_measure(served.runtime_dir, count, payload, bar))
    return {
        "count": count,
        "latency_us": latencies.summary(),
        "workers": workers,
        "payload": payload,
    }


async def _measure(runtime_dir: Path, count: int, payload: int, bar: Bar) -> Latencies:
    latencies, content, clock = Latencies(), b"x" * payload, time.perf_counter
    async with caxton.connect(runtime_dir) as client:
        (echo,) = await deploy_echoes(client, 1)
        for _ in range(WARM_UP):
            await client.request(echo, content)
        gc.collect()
        gc.freeze()
        for done in range(count):
            began_s = clock()
            await client.request(echo, content)
            latencies.record(clock() - began_s)
            if done % _SHOW_EVERY == 0:
                bar.show(done, "one request at a time")
    return latencies


EXAMPLES = "Example: python -m bench request --count 20000 -o json"


@reports_errors
def request(
    count: Annotated[int, typer.Option(min=1, help="Requests, one after another.")] = 20_000,
    workers: Workers = 1,
    payload: Payload = 100,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Latency of one request at a time, in microseconds."""
    with bar(total=count) as progress:
        result = measure(count, workers, payload, progress)
    finish("request", result, output, results)
