"""What HTTP costs: requests a second, messages a second in batches; and how soon a killed gateway is back."""

import os
import signal
import statistics
import time
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
import psutil
import typer
import uvloop

from bench.computed import computed_s
from bench.guests.echo import deploy_echoes
from bench.load.http import closed_loop, post
from bench.options import RESULTS_DIR, Payload, ResultsDir, Seconds, Workers
from bench.output import Bar, bar
from bench.results import finish
from caxton import testing
from caxton.cli.output import Format, Output, reports_errors

WARM_UP_S = 1.0
BATCH = 1_000
# At a time, of batches: what the gateway works on, and what comes meanwhile.
BATCHES = 2
KILLS = 5
_LISTEN_S = 1.0


def measure(seconds: float, workers: int, payload: int, connections: int, bar: Bar) -> dict[str, Any]:
    """Ask an echo agent by HTTP from this process, under uvloop; others_busy: of all cores, just before, by others."""
    with testing.runtime(workers, options=["--http", "127.0.0.1:0"]) as served:
        return uvloop.run(_measure(served, seconds, payload, connections, bar))


async def _measure(
    served: testing.ServedRuntime, seconds: float, payload: int, connections: int, bar: Bar
) -> dict[str, Any]:
    async with served.connect() as client:
        await deploy_echoes(client, 1)
        token = (await client.create_token("bench", "sender")).token
    ready = await served.event("gateway_ready")
    place = urlsplit(ready["url"])
    host, port = str(place.hostname), int(place.port or 0)
    message = {"receiver_name": "echo-0", "content": "x" * payload}
    volatile = message | {"delivery_options": {"reliability": "at_most_once"}}
    batch = {"messages": [volatile] * BATCH}
    request = post("/v1/messages/request", host, port, token, orjson.dumps(message))
    batches = post("/v1/messages/batch", host, port, token, orjson.dumps(batch))
    gateway = psutil.Process(ready["pid"])
    others_busy = psutil.cpu_percent(_LISTEN_S) / 100
    await closed_loop(host, port, request, connections, WARM_UP_S)
    bar.show(1, "requests")
    began_s = computed_s(gateway)
    count, took_s, latencies = await closed_loop(host, port, request, connections, seconds)
    requests_s = computed_s(gateway) - began_s
    bar.show(2, "batches")
    began_s = computed_s(gateway)
    many, many_s, _ = await closed_loop(host, port, batches, BATCHES, seconds)
    batches_s = computed_s(gateway) - began_s
    bar.show(3, "kills")
    back_s = [await _back_s(served, host, port, request) for _ in range(KILLS)]
    return {
        "requests_per_s": round(count / took_s),
        "latency_us": latencies.summary(),
        "gateway_cpu_us_each": round(requests_s * 1e6 / count, 1),
        "batch_messages_per_s": round(many * BATCH / many_s),
        "batch_gateway_cpu_us_each": round(batches_s * 1e6 / (many * BATCH), 1),
        "back_s": {"median": round(statistics.median(back_s), 2), "max": round(max(back_s), 2)},
        "others_busy": round(others_busy, 2),
        "connections": connections,
        "batch": BATCH,
        "payload": payload,
    }


async def _back_s(served: testing.ServedRuntime, host: str, port: int, request: bytes) -> float:
    """Kill the gateway, and return in how many seconds a request is answered that was sent right after it."""
    pid = next(event["pid"] for event in reversed(served.events) if event["event"] == "gateway_ready")
    seen = len(served.events)
    os.kill(pid, signal.SIGKILL)
    began_s = time.perf_counter()
    await served.event("gateway_died", after=seen)
    await closed_loop(host, port, request, 1, 0.0)
    back_s = time.perf_counter() - began_s
    await served.event("gateway_ready", after=seen)
    await closed_loop(host, port, request, 1, 1.5)  # a life that served for a second was a good one
    return back_s


EXAMPLES = "Example: python -m bench gateway --seconds 10 -o json"


@reports_errors
def gateway(
    seconds: Seconds = 10.0,
    workers: Workers = 1,
    payload: Payload = 100,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Connections, with one request on each.")] = 16,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Requests by HTTP: a second, and how long each takes; batches; and how soon a killed gateway is back."""
    with bar(total=4) as progress:
        result = measure(seconds, workers, payload, connections, progress) | {"workers": workers}
    finish("gateway", result, output, results)
