"""What a scrape costs: how long Prometheus waits for metrics, and the gateway's computing time, with many agents."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
import typer
import uvloop

from bench.computed import computed_s
from bench.guests.crowd import register
from bench.load.http import HttpConnection, get
from bench.load.latencies import Latencies
from bench.options import RESULTS_DIR, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from caxton import testing
from caxton.cli.output import Format, Output, reports_errors

# Longer than what was told is told to others, so that each is a look of its own.
PERIOD_S = 1.1
AGENTS = 100_000


def measure(scrapes: int, workers: int, agents: int, bar: Bar) -> dict[str, Any]:
    """Scrape a runtime again and again."""
    with testing.runtime(workers, options=["--metrics", "127.0.0.1:0"]) as served:
        return uvloop.run(_measure(served, scrapes, agents, bar))


async def _measure(served: testing.ServedRuntime, scrapes: int, agents: int, bar: Bar) -> dict[str, Any]:
    async with served.connect() as client:
        await register(client, 0, agents, lambda count: bar.show(count, "agents"))
        token = (await client.create_token("bench", "viewer")).token
    ready = await served.event("gateway_ready")
    place = urlsplit(ready["metrics"])
    host, port = str(place.hostname), int(place.port or 0)
    request = get("/metrics", host, port, token)
    gateway = psutil.Process(ready["pid"])
    latencies, text = Latencies(), b""
    async with HttpConnection(host, port) as connection:
        await connection.ask(request)
        began_s = computed_s(gateway)
        for scrape in range(scrapes):
            await asyncio.sleep(PERIOD_S)
            asked_s = asyncio.get_running_loop().time()
            text = await connection.ask(request)
            latencies.record(asyncio.get_running_loop().time() - asked_s)
            bar.show(agents + scrape, "scrapes")
        gateway_s = computed_s(gateway) - began_s
    return {
        "latency_us": latencies.summary(),
        "gateway_cpu_ms_each": round(gateway_s * 1_000 / scrapes, 1),
        "bytes": len(text),
        "lines": text.count(b"\n"),
        "agents": agents,
        "scrapes": scrapes,
    }


EXAMPLES = "Example: python -m bench scrape --agents 100000 -o json"


@reports_errors
def scrape(
    scrapes: Annotated[int, typer.Option(min=1, help="Scrapes, one after the other.")] = 20,
    workers: Workers = 2,
    agents: Annotated[int, typer.Option(min=1, help="Agents registered.")] = AGENTS,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Metrics for Prometheus: how long one scrape takes, with many agents registered."""
    with bar(total=agents + scrapes) as progress:
        result = measure(scrapes, workers, agents, progress) | {"workers": workers}
    finish("scrape", result, output, results)
