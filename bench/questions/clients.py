"""How the client without a loop does beside the one of a loop: batches of sends, the two in turns, in one runtime."""

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, requests_to
from bench.options import RESULTS_DIR, LaneName, LaneOption, Payload, ResultsDir, Seconds, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.cli.output import Format, Output, reports_errors
from caxton.errors import CaxtonError

AGENTS = 100
# Short, so that a machine that changes its pace changes both.
TURN_S = 0.5


class Rates:
    """What one client did: messages a second of each turn, and computing time of this process for all of them."""

    def __init__(self) -> None:
        self._per_s: list[float] = []
        self._sent = 0
        self._cpu_s = 0.0

    def turn(self, send: Callable[[], Sequence[object]]) -> None:
        """Send one batch after another for a turn. Raises the error of one that was not acknowledged."""
        sent, began_s, began_cpu_s = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began_s < TURN_S:
            results = send()
            for result in results:
                if isinstance(result, CaxtonError):
                    raise result
            sent += len(results)
        self._per_s.append(sent / (time.perf_counter() - began_s))
        self._sent += sent
        self._cpu_s += time.process_time() - began_cpu_s

    @property
    def per_s(self) -> float:
        """Messages a second: the median of the turns."""
        return median(self._per_s)

    @property
    def cpu_us(self) -> float:
        """Computing time of this process for each message, in microseconds."""
        return self._cpu_s / self._sent * 1e6


def measure(batch: int, payload: int, workers: int, lane: LaneName, seconds: float, bar: Bar) -> dict[str, Any]:
    """Let both clients send the same batches, one after the other, for so many seconds each."""
    with (
        serving(workers) as served,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
        caxton.connect_sync(served.runtime_dir) as plain,
    ):
        asynchronous = loop.run(caxton.connect(served.runtime_dir).__aenter__())
        messages = requests_to(loop.run(deploy_echoes(asynchronous, AGENTS)), payload, lane.lane)
        some = (messages * (1 + batch // len(messages)))[:batch]
        sends = [lambda: loop.run(asynchronous.send_batch(some)), lambda: plain.send_batch(some)]
        rates = in_turns(sends, seconds, bar)
        loop.run(asynchronous.__aexit__(None, None, None))
    of_loop, of_plain = rates
    return {
        "messages_per_s": round(of_plain.per_s),
        "async_messages_per_s": round(of_loop.per_s),
        "ratio_to_async": round(of_plain.per_s / of_loop.per_s, 3),
        "cpu_us_each": round(of_plain.cpu_us, 2),
        "async_cpu_us_each": round(of_loop.cpu_us, 2),
        "batch": batch,
        "payload": payload,
        "workers": workers,
        "lane": lane.value,
        "seconds": seconds,
    }


def in_turns(sends: Sequence[Callable[[], Sequence[object]]], seconds: float, bar: Bar) -> list[Rates]:
    """Let each send for a turn, again and again, for so many seconds each."""
    for send in sends:
        Rates().turn(send)  # which wakes every sandbox
    rates = [Rates() for _ in sends]
    turns = max(1, round(seconds / TURN_S))
    for turn in range(turns):
        for rate, send in zip(rates, sends, strict=True):
            rate.turn(send)
        bar.show(turn * TURN_S * len(sends), "in turns")
    return rates


EXAMPLES = "Example: python -m bench clients --batch 2560 --seconds 10 -o json"


@reports_errors
def clients(
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Messages of each call.")] = 2_560,
    workers: Workers = 1,
    payload: Payload = 100,
    lane: LaneOption = LaneName.VOLATILE,
    seconds: Seconds = 10.0,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Messages a second by `send_batch` of the client without a loop, and how that compares with the one of a loop."""
    with bar(total=2 * seconds) as progress:
        result = measure(batch, payload, workers, lane, seconds, progress)
    finish("clients", result, output, results)
