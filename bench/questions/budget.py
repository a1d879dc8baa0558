"""Where the microseconds of a turn go: computing time of every thread of worker and client, split by stage."""

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

import caxton
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course, Stretch
from bench.losses import end_if_lost
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, LanesWindow, Payload, ResultsDir, Seconds
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from bench.sampling.observed import observe, pids_of
from bench.sampling.split import Process
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, print_table, reports_errors


@dataclass(frozen=True)
class Plan:
    """seconds: of measurement without py-spy, and as many again with it. window: batches of 256 under way."""

    lane: Lane
    agents: int
    payload: int
    seconds: float
    window: int

    @property
    def total_s(self) -> float:
        """How long it takes, about."""
        return 2 * (self.seconds + WARM_UP_S)


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measure the computing time of a closed loop with one worker, then look at the same load's stacks with py-spy.

    Raises ConfigurationError when py-spy is missing or may not look.
    """
    with serving(1) as served:
        result = uvloop.run(_measure(plan, served.runtime_dir, bar))
    return {**result, **asdict(plan) | {"lane": plan.lane.name.lower(), "workers": 1}}


async def _measure(plan: Plan, runtime_dir: Path, bar: Bar) -> dict[str, Any]:
    async with caxton.connect(runtime_dir) as client:
        agents = await deploy_echoes(client, plan.agents)
        await wake(client, requests_to(agents, plan.payload))
        requests = requests_to(agents, plan.payload, plan.lane)
        course = await Course.begin(client)
        after_s = itertools.count(0, plan.seconds + WARM_UP_S)

        async def load() -> Stretch:
            return await course.run(requests, plan.window, plan.seconds, Latencies(), bar.after(next(after_s)))

        observed = await observe(course, await pids_of(client), load)
        lost_by_stats = (await client.stats()).lost["total"]
        ledger = await client.ledger()
    return {
        "us_per_turn": _us_per_turn(observed.processes),
        "kernel_us_per_turn": {name: round(us, 3) for name, us in observed.kernel_us.items()},
        "stages": [row for process in observed.processes for row in process.stages()],
        "hot": [row for process in observed.processes for row in process.hot()],
        "samples": {process.name: process.samples for process in observed.processes},
        "round_trips_per_s": round(observed.alone.per_s),
        "round_trips_per_s_while_sampled": round(observed.watched.per_s),
        "round_trips_per_commit": round(observed.alone.answered / max(1, observed.alone.commits)),
        **course.counts(),
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
    }


def _us_per_turn(processes: list[Process]) -> dict[str, Any]:
    """Return the microseconds of each process, and of each of its threads."""
    whole = {process.name: round(process.us_per_turn, 3) for process in processes}
    threads = {
        f"{process.name}_threads": {name: round(us, 3) for name, us in process.us_by_thread.items()}
        for process in processes
    }
    return whole | threads


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
