"""`python -m bench check`."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.baseline import Baseline
from bench.comparison import compare, is_settled
from bench.machine import describe
from bench.options import RESULTS_DIR, ResultsDir
from bench.output import bar
from bench.questions.check import Plan, measure
from bench.results import finish
from bench.tolerances import held_to
from caxton.cli.output import FAILED, Format, Output, reports_errors

BASELINE = Path(__file__).parents[1] / "baseline.json"
EXAMPLES = "Examples: python -m bench check --against bench/baseline.json; python -m bench check --seconds 1 --rounds 2"


@reports_errors
def check(
    against: Annotated[Path, typer.Option(help="The baseline, a file that --update has written.")] = BASELINE,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of the limit, and of each lane, in each round.")] = 5.0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; up to three times as many while a ratio is broken.")] = 3,
    *,
    update: Annotated[bool, typer.Option("--update", help="Write the baseline instead of comparing.")] = False,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Compare what a round trip costs, as ratios to the limit of the same run, with a baseline.

    Exit code 1 when a ratio is worse than the baseline by more than its tolerance; each that is broken is named. What
    a busy machine does not let us measure is named too, and is not broken.
    """
    held = [] if update else Baseline.read(against).ratios
    plan = Plan(seconds, rounds)

    def settled(ratios: Mapping[str, float | None], fsync_us: float) -> bool:
        return None not in ratios.values() if update else is_settled(compare(ratios, held, fsync_us))

    with bar(total=plan.total_s) as progress:
        measured = measure(plan, settled, progress)
    if update:
        held = held_to(measured["ratios"], measured["fsync_us"])
        command = f"python -m bench check --seconds {seconds:g} --rounds {rounds} --update"
        Baseline(command, describe(), held).write(against)
        sys.stderr.write(f"written: {against}, with {len(held)} of {len(measured['ratios'])} ratios\n")
    verdicts = compare(measured["ratios"], held, measured["fsync_us"])
    broken = [verdict.name for verdict in verdicts if verdict.broken]
    finish("check", {"broken": broken, **measured, "verdicts": [asdict(each) for each in verdicts]}, output, results)
    for verdict in verdicts:
        sys.stderr.write(f"{verdict}\n")
    if broken:
        raise typer.Exit(FAILED)
