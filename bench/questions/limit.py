"""What is possible at all: the bare loops, each with one thing more than the one before."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.fsync import fsync_us
from bench.guests.echo import echo_path
from bench.limit_run import limit_rate
from bench.limits.client import Loop
from bench.limits.client import measure as measure_loop
from bench.limits.worker import Setting, Stage
from bench.options import RESULTS_DIR, Agents, Payload, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors


@dataclass(frozen=True)
class Plan:
    """seconds: of measurement of each stage. window: frames of 256 under way to each worker."""

    stages: Sequence[Stage]
    workers: int
    agents: int
    payload: int
    seconds: float
    window: int

    @property
    def total_s(self) -> float:
        """How long it takes, about."""
        return self.seconds * (len(self.stages) + (Stage.SANDBOX in self.stages))


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measure one stage after the other; and, around that of the sandbox, the stand-alone limit with the same load."""
    stages, beside = [], {}
    for number, stage in enumerate(plan.stages):
        bar.show(number * plan.seconds, stage)
        if stage is not Stage.SANDBOX:
            stages.append(_stage(plan, stage))
            continue
        before = _stand_alone(plan)
        stages.append(_stage(plan, stage))
        rate = (before + _stand_alone(plan)) / 2
        beside = {
            "stand_alone_round_trips_per_s": round(rate),
            "sandbox_to_stand_alone": round(stages[-1]["round_trips_per_s"] / rate, 3),
        }
    return {
        "stages": stages,
        **beside,
        "workers": plan.workers,
        "agents": plan.agents,
        "payload": plan.payload,
        "seconds": plan.seconds,
        "window": plan.window,
    }


def _stand_alone(plan: Plan) -> float:
    """Run the stand-alone limit for half of the time: before and after the stage, so that a slow moment hits both."""
    window = plan.window * plan.workers  # it takes that of all workers together
    return limit_rate(plan.workers, plan.agents, plan.payload, plan.seconds / 2, window)


def _stage(plan: Plan, stage: Stage) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        agents = max(plan.agents, plan.workers)
        setting = Setting(
            stage, Path(folder), echo_path(), plan.workers, agents, plan.payload, plan.seconds, plan.window
        )
        row = _row(stage, measure_loop(setting))
        return row | ({"fsync_us": round(fsync_us(Path(folder)))} if stage is Stage.COMMIT else {})


def _row(stage: Stage, loop: Loop) -> dict[str, Any]:
    us_each = 1e6 / loop.round_trips
    return {
        "stage": stage.value,
        "round_trips_per_s": round(loop.round_trips / loop.seconds),
        "us_each": round(loop.seconds * us_each, 3),
        "cpu_us_each": {
            "client": round(loop.client_cpu_s * us_each, 3),
            "workers": round(loop.workers_cpu_s * us_each, 3),
        },
    }


EXAMPLES = "Example: python -m bench limit --stage sandbox --stage commit --seconds 5 -o json"


@reports_errors
def limit(
    stage: Annotated[
        list[Stage] | None, typer.Option(help="Stage to measure; may be repeated. Otherwise all four.")
    ] = None,
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of measurement of each stage.")] = 5.0,
    window: Annotated[int, typer.Option(min=1, help="Frames of 256 under way to each worker.")] = 16,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """The bare loops: frames alone, with messages, with the raw sandbox call, with the commit; nothing of Caxton.

    Each stage has all that the one before it has. Around `sandbox` the stand-alone script runs with the same load.
    """
    stages = [each for each in Stage if not stage or each in stage]
    plan = Plan(stages, workers, agents, payload, seconds, window)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("limit", result, output, results)
