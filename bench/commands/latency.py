"""`python -m bench latency`."""

from typing import Annotated

import typer

from bench.commands.losses import end_if_lost
from bench.commands.rates import Rates
from bench.load.open_loop import TICK_US
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, Payload, ResultsDir, Seconds, TickUs, Workers
from bench.output import bar
from bench.questions.latency import DEFAULT_RATES, Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

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
