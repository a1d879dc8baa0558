"""How long it takes to choose an agent by what it can do, and until a change is known."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from bench.lookups.capable import InARuntime, InOneProcess
from bench.options import RESULTS_DIR, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.cli.output import Format, Output, reports_errors

# Capabilities that nobody asked for yet, in one process; and in a runtime, by as many clients one after the other.
COLD, COLD_IN_RUNTIME, CLIENTS = 200, 10, 10
_STEPS = 4


@dataclass(frozen=True)
class Plan:
    """agents: in one process. per_capability: that have each. changes: in a runtime, of what an agent can do."""

    agents: int
    per_capability: int
    changes: int
    workers: int


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Choose in this process among many agents, and then as a program does in a runtime."""
    bar.show(1, f"{plan.agents:,} agents in this process")
    alone = InOneProcess(plan.agents, plan.per_capability)
    bar.show(2, "choosing in this process")
    in_process = alone.cold(COLD) | {"warm_us": alone.warm()}
    del alone
    bar.show(3, "choosing in a runtime")
    with serving(plan.workers) as served:
        in_runtime = uvloop.run(_in_a_runtime(plan, served.runtime_dir))
    bar.show(_STEPS, "done")
    return {"in_process": in_process, "in_a_runtime": in_runtime, **asdict(plan)}


async def _in_a_runtime(plan: Plan, runtime_dir: Path) -> dict[str, Any]:
    agents = InARuntime(runtime_dir, plan.per_capability)
    await agents.deploy(COLD_IN_RUNTIME)
    return {"cold_us": await agents.cold(COLD_IN_RUNTIME, CLIENTS), "seen_us": await agents.seen(plan.changes)}


EXAMPLES = "Examples: python -m bench capability -o json; python -m bench capability --agents 100000 --workers 4"


@reports_errors
def capability(
    agents: Annotated[int, typer.Option(min=1, help="Registered agents in one process.")] = 1_000_000,
    per_capability: Annotated[int, typer.Option(min=2, help="Agents that have each capability.")] = 1_000,
    changes: Annotated[int, typer.Option(min=1, help="Times that an agent can do something else.")] = 100,
    workers: Workers = 2,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """How long it takes to choose an agent by its capability, cold and warm, and until a change is known."""
    plan = Plan(agents, per_capability, changes, workers)
    with bar(total=_STEPS) as progress:
        result = measure(plan, progress)
    finish("capability", result, output, results)
