"""`python -m bench sustain`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bench.commands.rates import MOST_PER_S
from bench.load.open_loop import TICK_US
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, Payload, ResultsDir, TickUs, Workers
from bench.output import bar
from bench.questions.sustain import Plan, measure
from bench.results import finish
from caxton.cli.output import FAILED, Format, Output, reports_errors

EXAMPLES = "Example: python -m bench sustain --rate 100000 --seconds 300 -o json"


@reports_errors
def sustain(
    rate: Annotated[int, typer.Option(min=1, max=MOST_PER_S, help="Messages a second.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of measurement, after a warm-up.")] = 300.0,
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    lane: LaneOption = LaneName.VOLATILE,
    tick_us: TickUs = TICK_US,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """A rate for a time, in an open loop: what was lost, the latencies, and the memory of every process.

    Exit code 1 when anything was lost, or less than 99 % of the rate was sent and answered.
    """
    plan = Plan(rate, seconds, workers, agents, payload, lane.lane, tick_us)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("sustain", result, output, results)
    if not is_good(result):
        raise typer.Exit(FAILED)


def is_good(result: Mapping[str, Any]) -> bool:
    """True when the rate was held, and neither the client nor the runtime missed a message."""
    is_whole = result["lost"] == result["lost_by_stats"] == 0 and result["ledger_balanced"]
    return bool(is_whole and result["held"])
