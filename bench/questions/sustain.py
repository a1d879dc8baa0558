"""Whether a rate is held for a time: nothing lost, latencies that stay, memory that does not grow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import psutil
import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.latencies import Latencies
from bench.load.open_loop import TICK_US, WARM_UP_S, OpenLoop
from bench.load.stretch import Course
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, Payload, ResultsDir, TickUs, Workers
from bench.output import Bar, bar
from bench.rates import MOST_PER_S
from bench.resident import Resident
from bench.results import finish
from bench.runtime import Served, serving
from caxton.acl.options import Lane
from caxton.cli.output import FAILED, Format, Output, reports_errors
from caxton.client.client import Client

# A rate is held when so much of it was sent in time and answered.
HELD_SHARE = 0.99
LONGEST_WARM_UP_S = 10.0


@dataclass(frozen=True)
class Plan:
    """What is measured.

    rate: messages a second. seconds: of measurement, after the warm-up. payload: bytes of content. tick_us: from one
    batch to the next.
    """

    rate: int
    seconds: float
    workers: int
    agents: int
    payload: int
    lane: Lane
    tick_us: int

    @property
    def warm_up_s(self) -> float:
        """A tenth of what is measured: buffers have grown by then to what the rate wants."""
        return min(LONGEST_WARM_UP_S, max(WARM_UP_S, self.seconds / 10))

    @property
    def total_s(self) -> float:
        """How long it takes, about, if the rate is held."""
        return self.warm_up_s + self.seconds


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Keep the rate in a runtime of its own, and look at the memory of every process meanwhile."""
    with serving(plan.workers) as served:
        result = uvloop.run(_measure(plan, served, bar))
    return {**result, **asdict(plan) | {"lane": plan.lane.name.lower()}}


async def _measure(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    async with caxton.connect(served.runtime_dir) as client:
        messages = requests_to(await deploy_echoes(client, plan.agents), plan.payload, plan.lane)
        await wake(client, messages)
        await Course.begin(client)  # the collector forgets what is here by now
        resident, latencies = Resident(await _processes(client), plan.seconds), Latencies()

        def show(elapsed_s: float, answered: int, lost: int) -> None:
            resident.look(elapsed_s)
            bar.show(plan.warm_up_s + elapsed_s, f"{max(0.0, elapsed_s):.0f} s, {answered:,} answers, {lost:,} lost")

        loop = OpenLoop(client, messages, plan.rate, plan.warm_up_s, plan.tick_us)
        paced = await loop.run(plan.seconds, latencies, show)
        resident.end(loop.elapsed_s)
        lost_by_stats = (await client.stats()).lost["total"]
        ledger = await client.ledger()
    return {
        **paced.figures(),
        "held": paced.answered_per_s >= HELD_SHARE * plan.rate,
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
        "latency_us": latencies.summary(),
        "curve": latencies.curve(),
        "resident": resident.figures(),
        "samples": resident.samples,
    }


async def _processes(client: Client) -> dict[str, psutil.Process]:
    """Return every process of the run by its name in the result."""
    workers = {f"worker_{worker.shard}": psutil.Process(worker.pid) for worker in (await client.health()).workers}
    supervisor = next(iter(workers.values())).parent()  # it starts every worker itself
    return {"client": psutil.Process(), "supervisor": supervisor, **workers}


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
