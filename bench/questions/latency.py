"""How long a message takes at a given rate, waiting included: an open loop at each rate, in one runtime."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.lanes import DEFAULT_WINDOWS
from bench.load.latencies import Latencies
from bench.load.open_loop import TICK_US, WARM_UP_S, OpenLoop
from bench.load.stretch import WARM_UP_S as CLOSED_WARM_UP_S
from bench.load.stretch import Course
from bench.losses import end_if_lost
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, Payload, ResultsDir, Seconds, TickUs, Workers
from bench.output import Bar, bar
from bench.rates import Rates
from bench.results import finish
from bench.runtime import Served, serving
from caxton.acl.message import Message
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors
from caxton.client.client import Client

DEFAULT_RATES = (50_000, 100_000, 150_000)
MAXIMUM_S = 3.0


@dataclass(frozen=True)
class Plan:
    """What is measured.

    rates: messages a second, one after the other. share: None, or of the maximum, as one rate more. payload: bytes of
    content. seconds: of measurement at each rate. tick_us: from one batch to the next.
    """

    rates: tuple[int, ...]
    share: float | None
    workers: int
    agents: int
    payload: int
    seconds: float
    lane: Lane
    tick_us: int

    @property
    def maximum_s(self) -> float:
        """How long the closed loop takes that finds the maximum; 0 when nobody asks for it."""
        return 0.0 if self.share is None else min(MAXIMUM_S, self.seconds) + CLOSED_WARM_UP_S

    @property
    def total_s(self) -> float:
        """How long it takes, about, if the runtime holds every rate."""
        return self.maximum_s + (len(self.rates) + (self.share is not None)) * (self.seconds + WARM_UP_S)


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measure one rate after the other with the same agents."""
    with serving(plan.workers) as served:
        result = uvloop.run(_measure(plan, served, bar))
    return {
        **result,
        "workers": plan.workers,
        "agents": plan.agents,
        "payload": plan.payload,
        "seconds": plan.seconds,
        "lane": plan.lane.name.lower(),
        "tick_us": plan.tick_us,
    }


async def _measure(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    async with caxton.connect(served.runtime_dir) as client:
        messages = requests_to(await deploy_echoes(client, plan.agents), plan.payload, plan.lane)
        await wake(client, messages)
        course = await Course.begin(client)
        rates, found = list(plan.rates), {}
        if plan.share is not None:
            maximum = await _maximum(plan, course, messages, bar)
            found = {"max_round_trips_per_s": round(maximum), "share": plan.share}
            rates.append(max(1, round(plan.share * maximum)))
        each = [await _at(rate, place, plan, client, messages, bar) for place, rate in enumerate(rates)]
        lost_by_stats = (await client.stats()).lost["total"]
        ledger = await client.ledger()
    return {
        "rates": each,
        **found,
        "lost": course.unknown + sum(one["lost"] for one in each),
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
    }


async def _maximum(plan: Plan, course: Course, messages: list[Message], bar: Bar) -> float:
    seconds = min(MAXIMUM_S, plan.seconds)
    show = bar.after(0, "the maximum: ")
    return (await course.run(messages, DEFAULT_WINDOWS[plan.lane], seconds, Latencies(), show)).per_s


async def _at(rate: int, place: int, plan: Plan, client: Client, messages: list[Message], bar: Bar) -> dict[str, Any]:
    before_s = plan.maximum_s + place * (plan.seconds + WARM_UP_S)

    def show(elapsed_s: float, _answered: int, lost: int) -> None:
        bar.show(before_s + WARM_UP_S + elapsed_s, f"{rate:,}/s, {max(0.0, elapsed_s):.0f} s, {lost:,} lost")

    latencies = Latencies()
    paced = await OpenLoop(client, messages, rate, tick_us=plan.tick_us).run(plan.seconds, latencies, show)
    return {
        "rate": rate,
        "latency_us": latencies.summary(),
        **paced.figures(),
        "curve": latencies.curve(),
    }


EXAMPLES = "Examples: python -m bench latency --rates 50000,100000,150000 -o json; python -m bench latency --share 0.5"

RatesOption = Annotated[
    Rates | None,
    typer.Option(
        parser=Rates.parse,
        metavar="RATES",
        help="Messages a second, one rate after the other, separated by commas. Without this and --share: "
        + ",".join(str(rate) for rate in DEFAULT_RATES)
        + ".",
        show_default=False,
    ),
]
Share = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1.0,
        help="Measure at this share of the maximum, which a closed loop finds out first; after --rates, if there are.",
        show_default=False,
    ),
]


@reports_errors
def latency(
    rates: RatesOption = None,
    share: Share = None,
    seconds: Seconds = 10.0,
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    lane: LaneOption = LaneName.VOLATILE,
    tick_us: TickUs = TICK_US,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Latency at given rates in an open loop: from when a message was to start, so that all waiting is counted.

    --seconds are of each rate. Exit code 1 when a durable message is lost, or the loss is not what the runtime counts.
    """
    given = () if share is not None else DEFAULT_RATES
    plan = Plan(
        rates.per_s if rates is not None else given, share, workers, agents, payload, seconds, lane.lane, tick_us
    )
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("latency", result, output, results)
    end_if_lost(result)
