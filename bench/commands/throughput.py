"""`python -m bench throughput`."""

from bench.commands.losses import end_if_lost
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, LanesWindow, Payload, ResultsDir, Seconds, Workers
from bench.output import bar
from bench.questions.throughput import Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

EXAMPLES = "Example: python -m bench throughput --workers 2 --agents 1000 --payload 100 --seconds 10 -o json"


@reports_errors
def throughput(
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Seconds = 10.0,
    window: LanesWindow = None,
    lane: LaneOption = LaneName.VOLATILE,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Round trips a second in a closed loop, and how that compares with the limit, measured in the same run.

    With --lane durable also how that compares with the volatile lane, and when a send is acknowledged. Exit code 1 when
    a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = Plan(workers, agents, payload, seconds, lane.window(window), lane.lane)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("throughput", result, output, results)
    end_if_lost(result)
