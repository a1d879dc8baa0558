"""How many round trips a second: one client, N workers, every message run in a sandbox, answered and received."""

from dataclasses import asdict, dataclass
from typing import Any

import uvloop

import caxton
from bench.fsync import fsync_us
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.limit_run import limit_rate
from bench.load.acknowledgement import Acknowledged, alone
from bench.load.beside import pairs_s
from bench.load.graphed import graphed_pairs, graphed_s
from bench.load.lanes import DEFAULT_WINDOWS, figures, take_turns, turns_s, windows_of
from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course
from bench.load.traced import traced_pairs
from bench.losses import end_if_lost
from bench.options import (
    RESULTS_DIR,
    Agents,
    CallGraphToo,
    LaneName,
    LaneOption,
    LanesWindow,
    Payload,
    ResultsDir,
    Seconds,
    Traces,
    Workers,
)
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import Served, serving
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors
from caxton.client.client import Client
from caxton.ids import AgentId


@dataclass(frozen=True)
class Plan:
    """What is measured.

    workers: worker processes. payload: bytes of content. seconds: of measurement on each lane. window: batches of
    256 under way. traces: of the traces in a second measurement, on the volatile lane, how many are sampled.
    call_graph: whether there is a measurement with somebody who asks who talks to whom, on the volatile lane.
    """

    workers: int
    agents: int
    payload: int
    seconds: float
    window: int
    lane: Lane
    traces: float = 0.0
    call_graph: bool = False

    @property
    def total_s(self) -> float:
        """How long it takes, about, with the limit before and after it."""
        if self.lane is Lane.VOLATILE:
            further_s = (pairs_s(self.seconds) if self.traces else 0) + (
                graphed_s(self.seconds) if self.call_graph else 0
            )
            return self.seconds * 2 + WARM_UP_S + further_s
        return self.seconds * 1.5 + turns_s(self.seconds) + WARM_UP_S


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measure the limit, the runtime, and the limit again, so that a machine that changes its pace changes both."""
    half_s = plan.seconds / 2
    bar.show(0, "the limit, before")
    before = _limit(plan, half_s)
    with serving(plan.workers) as served:
        lane = _measure_durable if plan.lane is Lane.DURABLE else _measure_volatile
        result = uvloop.run(lane(plan, served, bar))
    bar.show(plan.total_s - half_s, "the limit, after")
    limit = (before + _limit(plan, half_s)) / 2
    return {
        **result,
        "limit_round_trips_per_s": round(limit),
        "ratio_to_limit": round(result["round_trips_per_s"] / limit, 3),
        **asdict(plan) | {"lane": plan.lane.name.lower()},
    }


def _limit(plan: Plan, seconds: float) -> float:
    """Measure with the window of the volatile lane: the limit commits nothing that more frames could wait for."""
    window = plan.window if plan.lane is Lane.VOLATILE else DEFAULT_WINDOWS[Lane.VOLATILE]
    return limit_rate(plan.workers, plan.agents, plan.payload, seconds, window)


async def _measure_volatile(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    latencies = Latencies()
    async with caxton.connect(served.runtime_dir) as client:
        messages = requests_to(await deploy_echoes(client, plan.agents), plan.payload)
        await wake(client, messages)
        course = await Course.begin(client)
        stretch = await course.run(messages, plan.window, plan.seconds, latencies, bar.after(plan.seconds / 2))
        lost_by_stats = (await client.stats()).lost["total"]
        ledger = await client.ledger()
    further = {}
    if plan.traces:
        pairs = await traced_pairs(served.runtime_dir, messages, plan.window, plan.seconds, plan.traces)
        further["traced"] = pairs
    if plan.call_graph:
        further["call_graph_asked"] = await graphed_pairs(served.runtime_dir, messages, plan.window, plan.seconds)
    return {
        **further,
        "round_trips_per_s": round(stretch.per_s),
        **course.counts(),
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
        "latency_us": latencies.summary(),
        "cpu_us_each": stretch.cpu_us_each(),
    }


async def _measure_durable(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    """Let the two lanes take turns in one runtime, then send beside the durable load; before and after, fsync."""
    fsyncs = {"before": round(fsync_us(served.data_dir))}
    async with caxton.connect(served.runtime_dir) as client:
        agents = await deploy_echoes(client, plan.agents)
        result = await _take_turns(plan, client, agents, bar)
        fsyncs["after"] = round(fsync_us(served.data_dir))
        ledger = await client.ledger()
        lost_by_stats = (await client.stats()).lost["total"]
    return {
        **result,
        "fsync_us": fsyncs,
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
        "dead_letters": ledger.whole.dead + ledger.whole.expired,
    }


async def _take_turns(plan: Plan, client: Client, agents: list[AgentId], bar: Bar) -> dict[str, Any]:
    requests = {lane: requests_to(agents, plan.payload, lane) for lane in Lane}
    durable = requests[Lane.DURABLE]
    await wake(client, requests[Lane.VOLATILE])
    idle = await alone(client, durable[0])
    course = await Course.begin(client)
    windows = windows_of(Lane.DURABLE, plan.window)
    lanes = await take_turns(course, requests, windows, plan.seconds, bar, plan.seconds / 2)
    acknowledged = Acknowledged()
    async with acknowledged.beside(client, durable):
        show = bar.after(plan.seconds / 2 + turns_s(plan.seconds), "acknowledgements: ")
        await course.run(durable, plan.window, plan.seconds / 2, Latencies(), show)
    return {
        **figures(lanes, "round_trips"),
        **course.counts(),
        "acknowledged": acknowledged.count,
        "acknowledgement_us": {"idle": idle.summary(), "under_load": acknowledged.latencies.summary()},
        "volatile_window": windows[Lane.VOLATILE],
    }


EXAMPLES = "Example: python -m bench throughput --workers 2 --agents 1000 --payload 100 --seconds 10 -o json"


@reports_errors
def throughput(
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Seconds = 10.0,
    window: LanesWindow = None,
    lane: LaneOption = LaneName.VOLATILE,
    traces: Traces = 0.0,
    call_graph: CallGraphToo = False,  # noqa: FBT002 (an option of the command line)
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Round trips a second in a closed loop, and how that compares with the limit, measured in the same run.

    With --lane durable also how that compares with the volatile lane, and when a send is acknowledged. With --traces
    also what is left of the rate when that share of the traces is sampled, on the volatile lane; with --call-graph what
    is left while somebody asks for the call graph. Exit code 1 when a durable message is lost, or the loss is not what
    the runtime counts.
    """
    plan = Plan(workers, agents, payload, seconds, lane.window(window), lane.lane, traces, call_graph)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("throughput", result, output, results)
    end_if_lost(result)
