"""How long it takes to find out whether there is an agent, and where: with more and more agents, and in batches."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.crowd import register
from bench.lookups.in_process import Lookups
from bench.lookups.over_the_wire import WireLookups
from bench.options import RESULTS_DIR, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.cli.output import Format, Output, reports_errors

AGENTS = (1_000, 10_000, 100_000, 1_000_000)
BATCHES = (10, 100, 1_000, 10_000)
# Batches are looked up among so many agents, or as many as there are.
_AGENTS_OF_BATCHES = 100_000

Figures = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Plan:
    """most: the largest number of agents. count: single lookups over the wire, of each kind."""

    most: int
    count: int
    workers: int

    @property
    def sizes(self) -> list[int]:
        """The numbers of agents, the smallest in any case."""
        return [size for size in AGENTS if size <= max(self.most, AGENTS[0])]

    @property
    def total_agents(self) -> int:
        """Agents to register, once here and once in a runtime."""
        return 2 * self.sizes[-1]


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Fill a registry of this process, and then a runtime's, and look up between the steps."""
    with serving(plan.workers) as served:
        over_the_wire = uvloop.run(_over_the_wire(plan, served.runtime_dir, bar))
    return {"in_process": _in_process(plan, bar), "over_the_wire": over_the_wire, **asdict(plan)}


def _in_process(plan: Plan, bar: Bar) -> Figures:
    lookups, sizes, batches = Lookups(), [], []
    for size in plan.sizes:
        bar.show(plan.sizes[-1] + size, f"{size:,} agents in this process")
        lookups.grow(size)
        sizes.append(lookups.figures())
        if size == min(_AGENTS_OF_BATCHES, plan.sizes[-1]):
            batches = [lookups.batch(of) for of in BATCHES]
    return {"sizes": sizes, "batches": batches}


async def _over_the_wire(plan: Plan, runtime_dir: Path, bar: Bar) -> Figures:
    sizes, batches, registered = [], [], 0
    async with caxton.connect(runtime_dir) as client:
        lookups = WireLookups(client, plan.count)
        for size in plan.sizes:
            await register(client, registered, size, lambda count: bar.show(count, f"{count:,} agents registered"))
            registered = size
            sizes.append(await lookups.figures(size))
            if size == min(_AGENTS_OF_BATCHES, plan.sizes[-1]):
                batches = [await lookups.batch(of, size) for of in BATCHES]
    return {"sizes": sizes, "batches": batches}


EXAMPLES = "Examples: python -m bench lookup -o json; python -m bench lookup --most 100000"


@reports_errors
def lookup(
    most: Annotated[int, typer.Option(min=AGENTS[0], help="The largest number of registered agents.")] = AGENTS[-1],
    count: Annotated[int, typer.Option(min=1, help="Single lookups over the wire, of each kind.")] = 2_000,
    workers: Workers = 2,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """How long a lookup takes with 1,000 to 1,000,000 agents, alone and in batches, in a worker and over the wire."""
    plan = Plan(most, count, workers)
    with bar(total=plan.total_agents) as progress:
        result = measure(plan, progress)
    finish("lookup", result, output, results)
