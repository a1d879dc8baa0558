"""What worker and client do under load, as flame graphs or as stacks for other tools."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course
from bench.losses import end_if_lost
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, LanesWindow, Payload, ResultsDir, Seconds
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from bench.sampling.observed import pids_of
from bench.sampling.py_spy import dump, recording
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors
from caxton.errors import ConfigurationError


class ProfileFormat(StrEnum):
    """What is written: a picture, a file for speedscope.app, or a line for each stack with its count."""

    FLAMEGRAPH = "flamegraph"
    SPEEDSCOPE = "speedscope"
    RAW = "raw"

    @property
    def suffix(self) -> str:
        """How the name of its file ends."""
        return {"flamegraph": "svg", "speedscope": "speedscope.json", "raw": "stacks.txt"}[self]


@dataclass(frozen=True)
class Plan:
    """processes: `worker`, `client`, or both. folder: where the profiles are written, over those of the last run."""

    lane: Lane
    processes: Sequence[str]
    format: ProfileFormat
    folder: Path
    agents: int
    payload: int
    seconds: float
    window: int

    @property
    def total_s(self) -> float:
        """How long it takes, about."""
        return self.seconds + WARM_UP_S

    def path(self, process: str) -> Path:
        """Return where the profile of a process is written."""
        return self.folder.resolve() / f"{self.lane.name.lower()}-{process}.{self.format.suffix}"


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Record the closed loop with one worker, from its warm-up on.

    Raises ConfigurationError when py-spy is missing or may not look, or the folder cannot be written to.
    """
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=plan.folder).close()
    except OSError as error:
        raise ConfigurationError("--to", str(error), "name a folder that can be written") from None
    with serving(1) as served:
        result = uvloop.run(_measure(plan, served.runtime_dir, bar))
    return {
        "profiles": [
            {"process": process, "path": str(plan.path(process)), "bytes": plan.path(process).stat().st_size}
            for process in plan.processes
        ],
        **result,
        "lane": plan.lane.name.lower(),
        "format": plan.format.value,
        "workers": 1,
        "agents": plan.agents,
        "payload": plan.payload,
        "seconds": plan.seconds,
        "window": plan.window,
    }


async def _measure(plan: Plan, runtime_dir: Path, bar: Bar) -> dict[str, Any]:
    async with caxton.connect(runtime_dir) as client:
        agents = await deploy_echoes(client, plan.agents)
        await wake(client, requests_to(agents, plan.payload))
        requests = requests_to(agents, plan.payload, plan.lane)
        course = await Course.begin(client)
        pids = await pids_of(client)
        for process in plan.processes:
            dump(pids[process])  # whether py-spy may look is said before the load, not after it
        with ExitStack() as recordings:
            for process in plan.processes:
                recordings.enter_context(recording(pids[process], plan.format, plan.path(process)))
            stretch = await course.run(requests, plan.window, plan.seconds, Latencies(), bar.after(0))
        lost_by_stats = (await client.stats()).lost["total"]
        ledger = await client.ledger()
    return {
        "round_trips_per_s_while_sampled": round(stretch.per_s),
        **course.counts(),
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
    }


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
