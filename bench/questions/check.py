"""Whether the runtime still costs what it did: both lanes beside the limit, in rounds, as ratios."""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
import uvloop

import caxton
from bench.baseline import Baseline
from bench.comparison import compare, is_settled
from bench.fsync import fsync_us
from bench.guests.echo import deploy_echoes, echo_path, requests_to, wake
from bench.limits.client import WARM_UP_S as LIMIT_WARM_UP_S
from bench.limits.client import Loop
from bench.limits.client import measure as measure_loop
from bench.limits.worker import Setting, Stage
from bench.load.lanes import DEFAULT_WINDOWS
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course, Stretch
from bench.machine import describe
from bench.options import RESULTS_DIR, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from bench.rounds import Round, ratios, rounds_until
from bench.runtime import Served, serving
from bench.tolerances import held_to
from caxton.acl.options import Lane
from caxton.cli.output import FAILED, Format, Output, reports_errors
from caxton.ids import AgentId

AGENTS = 1_000
PAYLOAD = 100
# Rounds that may follow, for each that was asked for: a machine that is busy gets better meanwhile, code does not.
MORE_ROUNDS = 2
# How long nothing is done before a round, and after it: what the machine computes meanwhile is the others'.
_LISTEN_S = 0.2

# Whether rounds are enough: told their ratios, and the microseconds of an fsync on the disk they were measured on.
IsSettled = Callable[[Mapping[str, float | None], float], bool]


@dataclass(frozen=True)
class Plan:
    """seconds: of the limit, and of each lane, in each round. rounds: as many; more while they are not settled."""

    seconds: float
    rounds: int

    @property
    def most_rounds(self) -> int:
        """Rounds when nothing is ever settled."""
        return self.rounds * (1 + MORE_ROUNDS)

    @property
    def total_s(self) -> float:
        """How long it takes, about, when the first rounds settle it."""
        return self.rounds * self.round_s

    @property
    def round_s(self) -> float:
        """How long one round takes, about."""
        return 3 * self.seconds + 2 * (WARM_UP_S + _LISTEN_S) + LIMIT_WARM_UP_S


def measure(plan: Plan, is_settled: IsSettled, bar: Bar) -> dict[str, Any]:
    """Measure as many rounds as asked for, and more until all of them together settle it."""
    with serving(1) as served:
        disk_us = fsync_us(served.data_dir)
        agents = uvloop.run(_deploy(served))
        rounds = rounds_until(
            lambda so_far: is_settled(ratios(so_far), disk_us),
            lambda number: _round(plan, served, agents, bar, number),
            plan.rounds,
            plan.most_rounds,
        )
    return {
        "ratios": ratios(rounds),
        "fsync_us": round(disk_us),
        "rounds": [each.figures() for each in rounds],
        "seconds": plan.seconds,
        "agents": AGENTS,
        "payload": PAYLOAD,
        "workers": 1,
    }


async def _deploy(served: Served) -> list[AgentId]:
    async with caxton.connect(served.runtime_dir) as client:
        return await deploy_echoes(client, AGENTS)


def _round(plan: Plan, served: Served, agents: Sequence[AgentId], bar: Bar, number: int) -> Round:
    """Measure the limit, and then each lane by a client of its own; the limit's processes are gone by then."""
    began_s = number * plan.round_s
    bar.show(began_s, f"round {number + 1}: the limit")
    before_percent = psutil.cpu_percent(_LISTEN_S)
    limit = _limit(plan.seconds)
    after_s = began_s + plan.seconds + LIMIT_WARM_UP_S + _LISTEN_S
    stretches = uvloop.run(_lanes(plan.seconds, served, agents, bar, after_s))
    busy_percent = max(before_percent, psutil.cpu_percent(_LISTEN_S))
    return Round(limit, stretches[Lane.VOLATILE], stretches[Lane.DURABLE], busy_percent / 100)


def _limit(seconds: float) -> Loop:
    window = DEFAULT_WINDOWS[Lane.VOLATILE]
    with tempfile.TemporaryDirectory() as folder:
        return measure_loop(Setting(Stage.SANDBOX, Path(folder), echo_path(), 1, AGENTS, PAYLOAD, seconds, window))


async def _lanes(
    seconds: float, served: Served, agents: Sequence[AgentId], bar: Bar, after_s: float
) -> dict[Lane, Stretch]:
    stretches = {}
    async with caxton.connect(served.runtime_dir) as client:
        await wake(client, requests_to(agents, PAYLOAD))
        course = await Course.begin(client)
        for lane in Lane:
            show = bar.after(after_s, f"{lane.name.lower()}: ")
            requests = requests_to(agents, PAYLOAD, lane)
            stretches[lane] = await course.run(requests, DEFAULT_WINDOWS[lane], seconds, Latencies(), show)
            after_s += seconds + WARM_UP_S
    return stretches


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
