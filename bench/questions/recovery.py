"""What a death costs when much waits: how soon a runtime serves again, and how fast it gets through the backlog."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

import psutil
import typer
import uvloop

from bench.fsync import fsync_us
from bench.guests.echo import deploy_echoes
from bench.load.closed_loop import BATCH
from bench.options import RESULTS_DIR, Agents, ResultsDir, Workers
from bench.output import Bar, bar
from bench.results import finish
from caxton import testing
from caxton.acl.message import Message
from caxton.acl.options import MAX_TIMEOUT_MS, DeliveryOptions, Lane
from caxton.agents.limits import BOUNDS, Limits
from caxton.cli.output import FAILED, Format, Output, reports_errors
from caxton.client.client import Client
from caxton.errors import CaxtonError, ConfigurationError, Timeout

_, _MOST_IN_MAILBOX = BOUNDS["mailbox_capacity"]
PAYLOAD = 100
# Batches under way while the backlog is made.
WINDOW = 8
# Messages are worth delivering for so long; a backlog that takes longer would expire.
MOST_S = MAX_TIMEOUT_MS / 1_000
_LOOK_PERIOD_S = 0.05


class Victim(StrEnum):
    """Who is killed with SIGKILL."""

    WORKERS = "workers"
    SUPERVISOR = "supervisor"
    ALL = "all"


@dataclass(frozen=True)
class Plan:
    """backlog: durable messages that wait for paused agents when `kill` dies."""

    backlog: int
    workers: int
    agents: int
    kill: Victim

    def __post_init__(self) -> None:
        if self.mailbox_capacity > _MOST_IN_MAILBOX:
            least = -(-2 * self.backlog // _MOST_IN_MAILBOX)
            problem = f"the mailboxes of {self.agents} hold no backlog of {self.backlog:,}"
            raise ConfigurationError("--agents", problem, f"take {least} or more, or a smaller --backlog")

    @property
    def mailbox_capacity(self) -> int:
        """Twice what waits in each: so nobody is told that a mailbox is nearly full."""
        return max(1_000, 2 * -(-self.backlog // self.agents))


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Let a backlog wait, kill, serve again, let the agents run, and wait until the shards' books say all is done."""
    with testing.runtime(plan.workers) as served:
        made = uvloop.run(_make_backlog(plan, served, bar))
        bar.show(plan.backlog, f"killing {plan.kill}")
        ready_s = uvloop.run(_kill_workers(served)) if plan.kill is Victim.WORKERS else _kill_all(plan, served)
        replayed = uvloop.run(_replay(plan, served, bar))
        fsync = fsync_us(served.data_dir)
    return {
        "ready_s": round(ready_s, 3),
        **replayed,
        **made,
        "fsync_us": round(fsync),
        **asdict(plan),
    }


async def _make_backlog(plan: Plan, served: testing.ServedRuntime, bar: Bar) -> dict[str, Any]:
    """Send the backlog to agents that are paused; every message of it is acknowledged, or its error is raised."""
    options = DeliveryOptions(reliability=Lane.DURABLE.reliability, timeout_ms=MAX_TIMEOUT_MS)
    content = b"x" * PAYLOAD
    async with served.connect() as client:
        agents = await deploy_echoes(client, plan.agents, Limits(mailbox_capacity=plan.mailbox_capacity))
        await asyncio.gather(*(client.pause(agent) for agent in agents))
        messages = [Message(agent, content, delivery_options=options) for agent in agents]
        began_s = time.perf_counter()
        batches = (
            [messages[at % len(messages)] for at in range(start, min(start + BATCH, plan.backlog))]
            for start in range(0, plan.backlog, BATCH)
        )
        sender = _Sender(client, bar)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WINDOW):
                tasks.create_task(sender.send(batches))
        return {
            "acknowledged": sender.acknowledged,
            "acknowledged_per_s": round(sender.acknowledged / (time.perf_counter() - began_s)),
        }


class _Sender:
    def __init__(self, client: Client, bar: Bar) -> None:
        self._client = client
        self._bar = bar
        self.acknowledged = 0

    async def send(self, batches: Iterator[list[Message]]) -> None:
        """Send what is left of the batches, which others may send too."""
        for batch in batches:
            for result in await self._client.send_batch(batch):
                if isinstance(result, CaxtonError):
                    raise result
            self.acknowledged += len(batch)
            self._bar.show(self.acknowledged, f"{self.acknowledged:,} acknowledged")


async def _kill_workers(served: testing.ServedRuntime) -> float:
    """Kill every worker; returns after how many seconds the last successor was ready."""
    workers = (await served.health()).workers
    seen, began_s = len(served.events), time.perf_counter()
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    for worker in workers:
        await served.event("worker_restarted", after=seen, timeout_s=MOST_S, shard=worker.shard)
    return time.perf_counter() - began_s


def _kill_all(plan: Plan, served: testing.ServedRuntime) -> float:
    """Kill the supervisor, its workers first if they are not left to die of that; returns how long the start took."""
    if plan.kill is Victim.ALL:
        for worker in psutil.Process(served.pid).children(recursive=True):
            worker.kill()
    served.kill()
    began_s = time.perf_counter()
    served.start()
    return time.perf_counter() - began_s


async def _replay(plan: Plan, served: testing.ServedRuntime, bar: Bar) -> dict[str, Any]:
    """Let the agents run; the backlog is done when the books say so, which speak of what is committed."""
    async with served.connect() as client:
        agents = [view.agent_id for view in await client.agents()]
        waited = sum(view.queued for view in await client.agents())
        began_s = time.perf_counter()
        await asyncio.gather(*(client.resume(agent) for agent in agents))
        while (left := sum(view.queued for view in await client.agents())) and time.perf_counter() - began_s < MOST_S:
            bar.show(2 * plan.backlog - left, f"{plan.backlog - left:,} replayed")
            await asyncio.sleep(_LOOK_PERIOD_S)
        while (ledger := await client.ledger()).whole.pending:
            if time.perf_counter() - began_s > MOST_S:
                raise Timeout(f"replaying, with {ledger.whole.pending:,} messages left,", MOST_S)
        took_s = time.perf_counter() - began_s
    whole = ledger.whole
    return {
        "replayed_per_s": round(plan.backlog / took_s),
        "replay_s": round(took_s, 3),
        "waited": waited,
        "processed": whole.processed,
        "dead_letters": whole.dead + whole.expired,
        "lost": plan.backlog - whole.processed - whole.dead - whole.expired,
        "ledger_balanced": ledger.balanced,
    }


EXAMPLES = "Examples: python -m bench recovery --backlog 100000 -o json; python -m bench recovery --kill workers"


@reports_errors
def recovery(
    backlog: Annotated[int, typer.Option(min=1, help="Durable messages that wait for paused agents.")] = 100_000,
    workers: Workers = 2,
    agents: Agents = 100,
    kill: Annotated[Victim, typer.Option(help="Who is killed; whoever is gone is then started again.")] = Victim.ALL,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Kill a runtime with a backlog: how soon it is ready again, and how fast the backlog is replayed.

    Exit code 1 when a message of the backlog is neither handled nor a dead letter, or the ledger does not balance.
    """
    plan = Plan(backlog, workers, agents, kill)
    with bar(total=2 * backlog) as progress:
        result = measure(plan, progress)
    finish("recovery", result, output, results)
    if result["lost"] or not result["ledger_balanced"]:
        raise typer.Exit(FAILED)
