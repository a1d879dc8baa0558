"""How many round trips a second: one client, N workers, every message run in a sandbox, answered and received."""

from dataclasses import asdict, dataclass
from typing import Any

import uvloop

import caxton
from bench.acknowledgement import Acknowledged, alone
from bench.echo import deploy_echoes, requests_to
from bench.fsync import fsync_us
from bench.latency import Latencies
from bench.limit_run import limit_rate
from bench.machine import describe
from bench.output import Bar
from bench.runtime import Served, serving
from bench.stretch import WARM_UP_S, Course
from caxton.acl.options import Lane
from caxton.client.client import Client
from caxton.ids import AgentId

# Batches of 256 under way, where it is not said: the fewest with which the lane is nearly as fast as with any number.
DEFAULT_WINDOWS = {Lane.VOLATILE: 16, Lane.DURABLE: 32}
# How often the two lanes take turns, so that a machine that changes its pace meanwhile changes both.
TURNS = 2


@dataclass(frozen=True)
class Plan:
    """What is measured.

    workers: worker processes. payload: bytes of content. seconds: of measurement on each lane. window: batches of
    256 under way.
    """

    workers: int
    agents: int
    payload: int
    seconds: float
    window: int
    lane: Lane

    @property
    def total_s(self) -> float:
        """How long it takes, about, with the limit before and after it."""
        if self.lane is Lane.VOLATILE:
            return self.seconds * 2 + WARM_UP_S
        return self.seconds * 3.5 + WARM_UP_S * (2 * TURNS + 1)


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
        "machine": describe(),
    }


def _limit(plan: Plan, seconds: float) -> float:
    """Measure with the window of the volatile lane: the limit commits nothing that more frames could wait for."""
    window = plan.window if plan.lane is Lane.VOLATILE else DEFAULT_WINDOWS[Lane.VOLATILE]
    return limit_rate(plan.workers, plan.agents, plan.payload, seconds, window)


async def _measure_volatile(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    latencies = Latencies()
    async with caxton.connect(served.runtime_dir) as client:
        messages = requests_to(await deploy_echoes(client, plan.agents), plan.payload)
        await client.request_many(messages)  # every sandbox is made before
        course = await Course.begin(client)
        stretch = await course.run(messages, plan.window, plan.seconds, latencies, bar.after(plan.seconds / 2))
        lost_by_stats = (await client.stats())["lost"]["total"]
    return {
        "round_trips_per_s": round(stretch.per_s),
        **course.counts(),
        "lost_by_stats": lost_by_stats,
        "latency_us": latencies.summary(),
        "cpu_us_each": stretch.cpu_us_each(),
    }


async def _measure_durable(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    """Let the two lanes take turns in one runtime, then send beside the durable load; before and after, fsync."""
    fsyncs = [fsync_us(served.data_dir)]
    async with caxton.connect(served.runtime_dir) as client:
        agents = await deploy_echoes(client, plan.agents)
        result = await _take_turns(plan, client, agents, bar)
        fsyncs.append(fsync_us(served.data_dir))
        ledger = await client.ledger()
        lost_by_stats = (await client.stats())["lost"]["total"]
    return {
        **result,
        "fsync_us": round(sum(fsyncs) / len(fsyncs)),
        "lost_by_stats": lost_by_stats,
        "ledger_balanced": ledger.balanced,
        "dead_letters": ledger.whole.dead + ledger.whole.expired,
    }


async def _take_turns(plan: Plan, client: Client, agents: list[AgentId], bar: Bar) -> dict[str, Any]:
    requests = {lane: requests_to(agents, plan.payload, lane) for lane in Lane}
    windows = {Lane.VOLATILE: DEFAULT_WINDOWS[Lane.VOLATILE], Lane.DURABLE: plan.window}
    await client.request_many(requests[Lane.VOLATILE])  # every sandbox is made before
    idle = await alone(client, requests[Lane.DURABLE][0])
    latencies = {lane: Latencies() for lane in Lane}
    course = await Course.begin(client)
    at_s, each_s = plan.seconds / 2, plan.seconds / TURNS
    stretches = []
    for turn in range(2 * TURNS):
        lane = Lane(turn % 2)
        show = bar.after(at_s, f"{lane.name.lower()}: ")
        stretches.append(await course.run(requests[lane], windows[lane], each_s, latencies[lane], show))
        at_s += each_s + WARM_UP_S
    volatile = sum(stretches[2::2], start=stretches[0])
    durable = sum(stretches[3::2], start=stretches[1])
    acknowledged = Acknowledged()
    async with acknowledged.beside(client, requests[Lane.DURABLE]):
        show = bar.after(at_s, "acknowledgements: ")
        await course.run(requests[Lane.DURABLE], plan.window, plan.seconds / 2, Latencies(), show)
    return {
        "round_trips_per_s": round(durable.per_s),
        "volatile_round_trips_per_s": round(volatile.per_s),
        "ratio_to_volatile": round(durable.per_s / volatile.per_s, 3),
        "commits_per_s": round(durable.commits / durable.seconds),
        "round_trips_per_commit": round(durable.answered / max(1, durable.commits)),
        **course.counts(),
        "acknowledged": acknowledged.count,
        "acknowledgement_us": {"idle": idle.summary(), "under_load": acknowledged.latencies.summary()},
        "latency_us": latencies[Lane.DURABLE].summary(),
        "volatile_latency_us": latencies[Lane.VOLATILE].summary(),
        "cpu_us_each": durable.cpu_us_each(),
        "volatile_cpu_us_each": volatile.cpu_us_each(),
        "volatile_window": windows[Lane.VOLATILE],
    }
