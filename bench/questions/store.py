"""What it costs to bring a large data directory to this release, and to another number of shards."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.fsync import fsync_us
from bench.options import RESULTS_DIR, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from bench.stored.earlier_shard import VERSION, write_earlier_shard
from caxton.cli.output import FAILED, Format, Output, reports_errors
from caxton.ids import AgentNames
from caxton.placement.slot_table import MAX_WORKERS, SlotTable
from caxton.store.agents import StoredAgents
from caxton.store.reshard.copying import Copied, Progress
from caxton.store.schema.migrations import SCHEMA_VERSION
from caxton.store.shard_store import ShardStore
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.premises.reshard import reshard

_STEPS = 4


@dataclass(frozen=True)
class Plan:
    """agents, messages: of all shards together; the messages wait. payload: bytes of content in each."""

    agents: int
    messages: int
    payload: int
    shards: int
    to: int


def measure(plan: Plan, directory: Path, bar: Bar) -> dict[str, Any]:
    """Make a directory as an earlier version left it, open each file as its worker does, and reshard all of it."""
    fsync = fsync_us(directory)
    data = directory / "data"
    data.mkdir(mode=0o700)
    bar.show(0, "making a directory of an earlier version")
    made = _make(plan, data)
    paths = [data / f"shard-{shard}.db" for shard in range(plan.shards)]
    bar.show(1, "opening its files")
    opened = _open(paths)
    for path in data.glob("*.version-*"):
        path.unlink()
    bar.show(2, "opening them again")
    again = _open(paths)
    bar.show(3, f"changing to {plan.to} shards")
    changed = _reshard(plan, data, lambda done, total: bar.show(3 + done / total, f"{done:,} of {total:,}"))
    return {
        "migration_s": opened["open_s"],
        "migration_cpu_s": opened["cpu_s"],
        "from_version": VERSION,
        "to_version": SCHEMA_VERSION,
        "opened_again_s": again["open_s"],
        "agents_loaded_s": again["load_s"],
        **changed,
        **made,
        "complete": opened["agents"] == plan.agents
        and changed["agents_copied"] == plan.agents
        and changed["messages_copied"] == plan.messages,
        "fsync_us": round(fsync),
        **asdict(plan),
    }


def _make(plan: Plan, data: Path) -> dict[str, Any]:
    began_s = time.perf_counter()
    names = AgentNames(Identity.open(data, plan.shards, 1).derived_key("naming"))
    table = SlotTable.even(plan.shards)
    agents: list[list[tuple[int, str]]] = [[] for _ in range(plan.shards)]
    for number in range(plan.agents):
        name = f"agent {number}"
        agent_id = names.id_of(name)
        agents[table.shard_of(agent_id)].append((agent_id, name))
    left = plan.messages
    for shard, own in enumerate(agents):
        some = left // (plan.shards - shard)
        left -= some
        write_earlier_shard(data / f"shard-{shard}.db", shard, own, some, plan.payload)
    size = sum(path.stat().st_size for path in data.glob("shard-*.db"))
    return {"made_s": round(time.perf_counter() - began_s, 2), "made_bytes": size}


def _open(paths: Sequence[Path]) -> dict[str, Any]:
    """Open the files one after the other; open_s, load_s: in all."""

    async def opened() -> tuple[float, float, float, int]:
        open_s = cpu_s = load_s = 0.0
        agents = 0
        for shard, path in enumerate(paths):
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            store = await ShardStore.open(path, shard)
            open_s += time.perf_counter() - began_s
            cpu_s += time.process_time() - began_cpu_s
            began_s = time.perf_counter()
            agents += len(await StoredAgents(store.database).load())
            load_s += time.perf_counter() - began_s
            await store.close()
        return open_s, cpu_s, load_s, agents

    open_s, cpu_s, load_s, agents = asyncio.run(opened())
    return {"open_s": round(open_s, 2), "cpu_s": round(cpu_s, 2), "load_s": round(load_s, 2), "agents": agents}


def _reshard(plan: Plan, data: Path, tell: Progress) -> dict[str, Any]:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    found = reshard(data, plan.to, tell)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    copied = found.copied or Copied()
    rows = copied.agents + copied.waiting
    return {
        "reshard_s": round(took_s, 2),
        "reshard_cpu_s": round(cpu_s, 2),
        "reshard_rows_per_s": round(rows / took_s),
        "agents_copied": copied.agents,
        "messages_copied": copied.waiting,
        "ledger_balanced": found.durable is not None and found.durable.balanced,
    }


EXAMPLES = "Examples: python -m bench store -o json; python -m bench store --agents 10000 --messages 10000 --to 3"
Shards = Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Shards of the directory.")]


@reports_errors
def store(
    agents: Annotated[int, typer.Option(min=1, help="Registered agents of all shards.")] = 1_000_000,
    messages: Annotated[int, typer.Option(min=1, help="Messages that wait for them.")] = 1_000_000,
    payload: Annotated[int, typer.Option(min=0, max=65_536, help="Bytes of content in each message.")] = 100,
    shards: Shards = 2,
    to: Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Shards that it is to have.")] = 3,
    directory: Annotated[
        Path | None, typer.Option("--in", help="Where to make it, on a disk. Otherwise among temporary files.")
    ] = None,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """How long a large directory of an earlier release takes to become one of this release, and of other shards.

    Exit code 1 when an agent or a message is not there afterwards, or the ledger does not balance.
    """
    plan = Plan(agents, messages, payload, shards, to)
    with tempfile.TemporaryDirectory(dir=directory) as own, bar(total=_STEPS) as progress:
        result = measure(plan, Path(own), progress)
    finish("store", result, output, results)
    if not (result["complete"] and result["ledger_balanced"]):
        raise typer.Exit(FAILED)
