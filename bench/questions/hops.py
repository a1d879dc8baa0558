"""How many hops a second from agent to agent, each to an agent of another worker: what a durable effect costs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, wake
from bench.guests.relay import deploy_relays, most_payload, routed_requests
from bench.load.lanes import figures, take_turns, turns_s, windows_of
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course
from bench.losses import end_if_lost
from bench.options import RESULTS_DIR, LaneName, LaneOption, LanesWindow, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.acl.message import Message
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors
from caxton.client.client import Client
from caxton.errors import ConfigurationError
from caxton.ids import AgentId
from caxton.placement.slot_table import MAX_WORKERS

# Of one request: with more, its route would leave hardly a byte for the payload.
MAX_HOPS = 24


@dataclass(frozen=True)
class Plan:
    """workers: two at least. hops: of each request, beside its way in and its answer. window: batches under way."""

    workers: int
    agents: int
    hops: int
    payload: int
    seconds: float
    window: int
    lane: Lane

    def __post_init__(self) -> None:
        most = most_payload(self.hops)
        if self.payload > most:
            problem = f"{self.payload} bytes do not fit beside the route of {self.hops} hops"
            raise ConfigurationError("--payload", problem, f"take at most {most}, or fewer --hops")

    @property
    def total_s(self) -> float:
        """How long it takes, about."""
        return turns_s(self.seconds) if self.lane is Lane.DURABLE else self.seconds + WARM_UP_S


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Send requests along routes through all workers; the client gets one answer for all hops of a request."""
    with serving(plan.workers) as served:
        result = uvloop.run(_measure(plan, served.runtime_dir, bar))
    return {**result, **asdict(plan) | {"lane": plan.lane.name.lower()}}


async def _measure(plan: Plan, runtime_dir: Path, bar: Bar) -> dict[str, Any]:
    async with caxton.connect(runtime_dir) as client:
        relays = await deploy_relays(client, plan.agents)
        session = await _own_id(client)
        requests = {lane: routed_requests(relays, session, plan.hops, plan.payload, lane) for lane in Lane}
        await wake(client, requests[Lane.VOLATILE])
        course = await Course.begin(client, b"x" * plan.payload)
        result = await _run(plan, course, requests, bar)
        lost_by_stats = (await client.stats()).lost["total"]
        ledger = await client.ledger()
    return {**result, **course.counts(), "lost_by_stats": lost_by_stats, "ledger_balanced": ledger.balanced}


async def _run(plan: Plan, course: Course, requests: dict[Lane, list[Message]], bar: Bar) -> dict[str, Any]:
    if plan.lane is Lane.DURABLE:
        windows = windows_of(plan.lane, plan.window)
        lanes = await take_turns(course, requests, windows, plan.seconds, bar, 0)
        return figures(lanes, "hops", plan.hops)
    latencies = Latencies()
    stretch = await course.run(requests[plan.lane], plan.window, plan.seconds, latencies, bar.after(0))
    return {
        "hops_per_s": round(stretch.per_s * plan.hops),
        "latency_us": latencies.summary(),
        "cpu_us_each": stretch.cpu_us_each(plan.hops),
    }


async def _own_id(client: Client) -> AgentId:
    """Return the id of this session, which answers are addressed to."""
    (echo,) = await deploy_echoes(client, 1)
    return (await client.request(echo, b"who asks?")).receiver


EXAMPLES = "Example: python -m bench hops --workers 2 --hops 8 --seconds 10 -o json"


@reports_errors
def hops(
    workers: Annotated[int, typer.Option(min=2, max=MAX_WORKERS, help="Worker processes.")] = 2,
    agents: Annotated[int, typer.Option(min=2, help="Agents that pass messages on.")] = 1_000,
    hops: Annotated[int, typer.Option(min=1, max=MAX_HOPS, help="Hops from worker to worker of one request.")] = 8,
    payload: Annotated[
        int, typer.Option(min=0, max=most_payload(1), help="Bytes of content beside the route; 8 fewer for each hop.")
    ] = 100,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of measurement on each lane.")] = 10.0,
    window: LanesWindow = None,
    lane: LaneOption = LaneName.DURABLE,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Hops a second from agent to agent, each to an agent of another worker, and how the lanes compare.

    Exit code 1 when a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = Plan(workers, agents, hops, payload, seconds, lane.window(window), lane.lane)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("hops", result, output, results)
    end_if_lost(result)
