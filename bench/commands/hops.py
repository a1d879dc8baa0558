"""`python -m bench hops`."""

from typing import Annotated

import typer

from bench.commands.losses import end_if_lost
from bench.guests.relay import most_payload
from bench.options import RESULTS_DIR, LaneName, LaneOption, LanesWindow, ResultsDir
from bench.output import bar
from bench.questions.hops import MAX_HOPS, Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors
from caxton.placement.slot_table import MAX_WORKERS

EXAMPLES = "Example: python -m bench hops --workers 2 --hops 8 --seconds 10 -o json"


@reports_errors
def hops(
    workers: Annotated[int, typer.Option(min=2, max=MAX_WORKERS, help="Worker processes.")] = 2,
    agents: Annotated[int, typer.Option(min=2, help="Agents that pass messages on.")] = 1_000,
    hops: Annotated[int, typer.Option(min=1, max=MAX_HOPS, help="Hops from worker to worker of one request.")] = 8,
    payload: Annotated[
        int, typer.Option(min=0, max=most_payload(1), help="Bytes of content beside the route; 8 fewer for each hop.")
    ] = 100,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of measurement on each lane.")] = 10.0,
    window: LanesWindow = None,
    lane: LaneOption = LaneName.DURABLE,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Hops a second from agent to agent, each to an agent of another worker, and how the lanes compare.

    Exit code 1 when a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = Plan(workers, agents, hops, payload, seconds, lane.window(window), lane.lane)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("hops", result, output, results)
    end_if_lost(result)
