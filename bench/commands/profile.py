"""`python -m bench profile`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.losses import end_if_lost
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, LanesWindow, Payload, ResultsDir, Seconds
from bench.output import bar
from bench.questions.profile import Plan, ProfileFormat, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

EXAMPLES = "Example: python -m bench profile --lane durable --seconds 10 --to profiles -o json"


class Of(StrEnum):
    """Which processes."""

    WORKER = "worker"
    CLIENT = "client"
    BOTH = "both"

    @property
    def processes(self) -> list[str]:
        """Their names."""
        return [each.value for each in (Of.WORKER, Of.CLIENT) if self in {each, Of.BOTH}]


@reports_errors
def profile(
    lane: LaneOption = LaneName.VOLATILE,
    of: Annotated[Of, typer.Option(help="Which processes.")] = Of.BOTH,
    format: Annotated[  # noqa: A002 (it is the option's name)
        ProfileFormat, typer.Option(help="A picture (SVG), a file for speedscope.app, or counted stacks.")
    ] = ProfileFormat.FLAMEGRAPH,
    to: Annotated[Path, typer.Option(help="Folder that the profiles are written to.")] = RESULTS_DIR / "profiles",
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Seconds = 10.0,
    window: LanesWindow = None,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Flame graphs of worker and client under the closed loop of `throughput`, recorded by py-spy from outside.

    Exit code 1 when a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = Plan(lane.lane, of.processes, format, to, agents, payload, seconds, lane.window(window))
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("profile", result, output, results)
    end_if_lost(result)
