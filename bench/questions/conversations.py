"""What conversations cost: the message path with every message in one, beside the same without; and negotiations."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.conversations.course import Tally
from bench.conversations.loads import LOADS
from bench.conversations.nets import AT_ONCE, MESSAGES, Nets, deploy_bidders
from bench.conversations.pairs import Pairs
from bench.flow.crew import Crew
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.guests.taker import deploy_takers
from bench.load.lanes import DEFAULT_WINDOWS
from bench.load.stretch import WARM_UP_S
from bench.options import RESULTS_DIR, Agents, LaneName, LaneOption, Payload, ResultsDir, Seconds, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import Served, serving
from caxton.acl.message import Message
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, print_table, reports_errors
from caxton.client.client import Client
from caxton.errors import ConversationNotFound
from caxton.ids import AgentId, ConversationId

# The loads take turns so often, so that a machine that changes its pace changes all of them.
TURNS = 3
LOOKS = 500
NETS = "nets"
_NAMES = [*LOADS, NETS]


@dataclass(frozen=True)
class Plan:
    """What is measured. only: names of loads, and of `nets`. seconds: of each load."""

    workers: int
    agents: int
    payload: int
    seconds: float
    lane: Lane
    only: tuple[str, ...]

    @property
    def loads(self) -> list[str]:
        """The loads that are measured: those that were asked for, and what they are compared with."""
        wanted = {LOADS[name].beside for name in self.only if name in LOADS} | {*self.only}
        return [name for name in LOADS if name in wanted]

    @property
    def bidders(self) -> list[int]:
        """How many bid, in each kind of contract net."""
        return [*AT_ONCE] if NETS in self.only else []

    @property
    def total_s(self) -> float:
        """How long it takes, about."""
        return (len(self.loads) + len(self.bidders)) * (self.seconds + WARM_UP_S)


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Let the loads take turns in one runtime, look at conversations afterwards, and negotiate in another one."""
    result: dict[str, Any] = {}
    if plan.loads:
        with serving(plan.workers) as served:
            result = uvloop.run(_measure(plan, served, bar))
    if plan.bidders:
        with serving(plan.workers) as served:
            result["nets"] = uvloop.run(_negotiate(plan, served, bar))
    return {**result, **asdict(plan) | {"lane": plan.lane.name.lower(), "only": ",".join(plan.only)}}


async def _measure(plan: Plan, served: Served, bar: Bar) -> dict[str, Any]:
    tallies = {name: Tally() for name in plan.loads}
    window, done_s = DEFAULT_WINDOWS[plan.lane], 0.0
    async with caxton.connect(served.runtime_dir) as client:
        asked = await _agents(client, plan)
        pairs = {name: _pairs(client, name, asked[LOADS[name].taker], plan) for name in plan.loads}
        crew = await Crew.of(client, served.runtime_dir)
        for turn in range(-1, TURNS):
            seconds = plan.seconds / TURNS if turn >= 0 else WARM_UP_S
            for name, tally in tallies.items():
                bar.show(done_s, name)
                load = pairs[name]
                await (tally if turn >= 0 else Tally()).add(crew, lambda: load.run(seconds, window))  # noqa: B023 (awaited)
                done_s += seconds
        stats = await client.conversation_stats()
        looks_ms = await _look(client)
    rows = [{"load": name, **tally.beside(tallies[LOADS[name].beside])} for name, tally in tallies.items()]
    each = stats.size_bytes / max(1, stats.total_active + stats.total_archived)
    return {
        "loads": rows,
        "refused": sum(load.refused for load in pairs.values()),
        "active": stats.total_active,
        "evicted": stats.evicted,
        "bytes_each": round(each),
        "log_bytes": stats.log_bytes,
        "look_ms": looks_ms,
    }


async def _agents(client: Client, plan: Plan) -> dict[bool, list[AgentId]]:
    """Return the agents, by whether they are takers; each has had a turn."""
    found: dict[bool, list[AgentId]] = {}
    for taker in {LOADS[name].taker for name in plan.loads}:
        found[taker] = await (deploy_takers if taker else deploy_echoes)(client, plan.agents)
        await wake(client, requests_to(found[taker], plan.payload))
    return found


def _pairs(client: Client, name: str, agents: list[AgentId], plan: Plan) -> Pairs:
    load = LOADS[name]
    messages = [
        Message(
            message.receiver,
            message.content,
            performative=load.performative,
            protocol=load.protocol,
            delivery_options=message.delivery_options,
        )
        for message in requests_to(agents, plan.payload, plan.lane)
    ]
    return Pairs(client, messages, load)


async def _look(client: Client) -> dict[str, float]:
    """Look at one conversation after the other, with its history, and return how long that takes.

    Those that have made room meanwhile for what was said last are passed over.
    """
    names: list[ConversationId] = [view.id async for view in client.conversations(limit=100)]
    if not names:
        return {}
    times_ms: list[float] = []
    for look in range(LOOKS):
        began_s = time.perf_counter()
        with suppress(ConversationNotFound):
            await client.conversation(names[look % len(names)])
            times_ms.append((time.perf_counter() - began_s) * 1_000)
    times_ms.sort()
    found = len(times_ms)
    return {"p50": round(times_ms[found // 2], 3), "p95": round(times_ms[found * 95 // 100], 3)} if found else {}


async def _negotiate(plan: Plan, served: Served, bar: Bar) -> list[dict[str, Any]]:
    rows = []
    async with caxton.connect(served.runtime_dir) as client:
        agents = await deploy_bidders(client, max(plan.bidders))
        crew = await Crew.of(client, served.runtime_dir)
        for place, bidders in enumerate(plan.bidders):
            bar.show(plan.total_s - (len(plan.bidders) - place) * (plan.seconds + WARM_UP_S), f"{bidders} bidders")
            nets, tally = Nets(client, agents[:bidders], plan.lane), Tally()
            await nets.run(WARM_UP_S)
            await tally.add(crew, lambda: nets.run(plan.seconds))  # noqa: B023 (awaited)
            rows.append(
                {
                    "bidders": bidders,
                    "rounds_per_s": round(tally.per_s),
                    "messages_per_s": round(tally.per_s * MESSAGES[bidders]),
                    "amiss": nets.amiss,
                    **tally.computing(),
                }
            )
    return rows


EXAMPLES = (
    "Examples: python -m bench conversations --lane durable -o json; python -m bench conversations --only short,nets"
)


def _known(only: str) -> str:
    """Refuse names of loads that there are not."""
    unknown = sorted(set(only.split(",")) - {*_NAMES})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: take some of {','.join(_NAMES)}")
    return only


@reports_errors
def conversations(
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Seconds = 6.0,
    lane: LaneOption = LaneName.VOLATILE,
    only: Annotated[
        str, typer.Option(callback=_known, help="What to measure, with commas between; and what that is compared with.")
    ] = ",".join(_NAMES),
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Round trips a second with every message in a conversation, by a protocol or by none, and contract nets.

    The loads take turns in one run, so that their ratios hold on a machine that changes its pace.
    """
    plan = Plan(workers, agents, payload, seconds, lane.lane, tuple(only.split(",")))
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    if output is Format.TEXT:
        _print(result)
    finish("conversations", result, output, results, tables=("loads", NETS))


def _print(result: Mapping[str, Any]) -> None:
    for title, rows in (("Round trips", result.get("loads")), ("Contract nets", result.get(NETS))):
        if rows:
            print_table(title, [name.replace("_", " ") for name in rows[0]], [[*row.values()] for row in rows])
