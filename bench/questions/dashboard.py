"""What it costs that the dashboard is open: the message path with and without, and what a first visit takes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psutil
import uvloop

from bench.computed import computed_s
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.beside import in_pairs, pairs_s, within
from bench.load.browser import Browser, check_installed, seen
from bench.load.lanes import DEFAULT_WINDOWS
from bench.load.stretch import Course
from bench.options import RESULTS_DIR, Agents, Payload, ResultsDir, Seconds, Workers
from bench.output import bar
from bench.results import finish
from caxton import testing
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors


def measure(seconds: float, workers: int, agents: int, payload: int) -> dict[str, Any]:
    """Serve a runtime with a dashboard, and let stretches of load with a page open and with none take turns."""
    check_installed()
    with testing.runtime(workers, options=["--http", "127.0.0.1:0"]) as served:
        return uvloop.run(_measure(served, seconds, agents, payload))


async def _measure(served: testing.ServedRuntime, seconds: float, agents: int, payload: int) -> dict[str, Any]:
    ready = await served.event("gateway_ready")
    gateway = psutil.Process(ready["pid"])
    async with served.connect() as client:
        messages = requests_to(await deploy_echoes(client, agents), payload)
        await wake(client, messages)
        token = (await client.create_token("bench", "viewer")).token
        async with Browser.signed_in(ready["url"], token) as browser:
            run = partial((await Course.begin(client)).run_quietly, messages, DEFAULT_WINDOWS[Lane.VOLATILE])
            pages = _Pages(browser, gateway)
            compared = await in_pairs(seconds, run, within(pages.open, run))
    return {**compared, **pages.figures()}


class _Pages:
    """Opens a page for each stretch, and looks at it and at the gateway before it closes."""

    def __init__(self, browser: Browser, gateway: psutil.Process) -> None:
        self._browser = browser
        self._gateway = gateway
        self._heaps: list[int] = []
        self._resident: list[int] = []
        self._computed_s = self._open_s = 0.0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Have a page open until the block ends."""
        async with self._browser.watching() as page:
            before_s, began_s = computed_s(self._gateway), time.perf_counter()
            yield
            self._open_s += time.perf_counter() - began_s
            self._computed_s += computed_s(self._gateway) - before_s
            self._heaps.append((await seen(page))["heap_bytes"])
            self._resident.append(self._gateway.memory_info().rss)

    def figures(self) -> dict[str, Any]:
        """Return what a first visit took, what an open page costs the gateway, and what is kept for it."""
        return {
            "first_visit": {name: self._browser.first[name] for name in ("first_paint_ms", "requests", "bytes")},
            "gateway_share_of_a_core": round(self._computed_s / self._open_s, 4),
            "page_heap_bytes": {"first": self._heaps[0], "last": self._heaps[-1]},
            "gateway_resident_bytes": {"first": self._resident[0], "last": self._resident[-1]},
        }


EXAMPLES = "Example: python -m bench dashboard --seconds 40 -o json"


@reports_errors
def dashboard(
    seconds: Seconds = 40.0,
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """The message path while the dashboard is open in a browser, beside the same run without; and a first visit."""
    with bar(total=pairs_s(seconds)) as progress:
        progress.show(0, "with a page open and without")
        result = measure(seconds, workers, agents, payload)
    finish("dashboard", result | {"workers": workers, "agents": agents, "payload": payload}, output, results)
