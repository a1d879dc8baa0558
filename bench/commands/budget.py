"""`python -m bench budget`."""

from typing import Any

from bench.commands.losses import end_if_lost
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, LanesWindow, Payload, ResultsDir, Seconds
from bench.output import bar
from bench.questions.budget import Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, print_table, reports_errors

EXAMPLES = "Example: python -m bench budget --lane durable --seconds 10 -o json"

_TABLES = {"stages": "microseconds per turn by stage", "hot": "and by function, without what it calls in Python"}


@reports_errors
def budget(
    lane: LaneOption = LaneName.VOLATILE,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Seconds = 10.0,
    window: LanesWindow = None,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Microseconds per turn of each stage in worker and client, under the closed loop of `throughput`.

    Measured twice: the computing time of every thread, and then, with py-spy beside it, where that goes. Exit code 1
    when a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = Plan(lane.lane, agents, payload, seconds, lane.window(window))
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    if output is Format.TEXT:
        _show(result)
    finish("budget", result, output, results, tables=_TABLES)
    end_if_lost(result)


def _show(result: dict[str, Any]) -> None:
    for name, title in _TABLES.items():
        columns = [column for column in result[name][0] if column != "lines"]
        print_table(title, columns, [[row[column] for column in columns] for row in result[name]])
