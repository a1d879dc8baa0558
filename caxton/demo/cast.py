"""The agents of one run of the words demo: splitters that take the text, counters that count the words."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import caxton.guests
from caxton.agents.limits import MIB, Limits
from caxton.client.client import Client
from caxton.client.deployments import Deployment
from caxton.errors import CaxtonError, NetworkError, WasmExecutionFailed
from caxton.ids import AgentId
from caxton.wire.control import AgentView

COUNTER_WASM = Path(caxton.guests.__file__).parent / "counter.wasm"
SPLITTER_WASM = Path(caxton.guests.__file__).parent / "splitter.wasm"
SPLITTERS_PER_WORKER = 4
FEWEST_COUNTERS, MOST_COUNTERS = 64, 4_096

# Any text fits: 64 MiB hold a million and a half distinct words, and the longest word takes milliseconds.
COUNTER_LIMITS = Limits(max_memory_bytes=64 * MIB, max_fuel=10**11, max_execution_ms=10_000, mailbox_capacity=4_096)
SPLITTER_LIMITS = Limits(max_fuel=10**9, max_execution_ms=1_000)

# What an agent may not have in its counters at the end, and what it means if it has.
_SPOILT = {
    "failed": "its turns trapped, and its memory was lost with them",
    "agent_errors": "it refused messages, or was told of some that were not delivered",
    "expired": "messages waited for it until they expired",
}


def counters_for(total_bytes: int) -> int:
    """Return how many counters a text of this size gets: one for each MiB, from 64 to 4,096."""
    return max(FEWEST_COUNTERS, min(MOST_COUNTERS, total_bytes // MIB))


@dataclass(frozen=True)
class Cast:
    """turns: splitters in an order that goes around the shards. header: what a text for a splitter starts with."""

    splitters: tuple[AgentId, ...]
    counters: tuple[AgentId, ...]
    turns: tuple[AgentId, ...]
    header: bytes


@asynccontextmanager
async def on_stage(client: Client, counter_wasm: Path, counters: int, workers: int) -> AsyncIterator[Cast]:
    """Deploy the agents of a run, under names that no other run has, and remove them at the end, whatever happens.

    Raises what the deployment raises, for instance InvalidModule.
    """
    run = f"words-{secrets.token_hex(6)}"
    splitters = [
        Deployment(f"{run}-splitter-{k}", SPLITTER_WASM, encoding="msgpack", limits=SPLITTER_LIMITS)
        for k in range(SPLITTERS_PER_WORKER * workers)
    ]
    prefix = f"{run}-counter-"
    owners = [Deployment(f"{prefix}{k}", counter_wasm, limits=COUNTER_LIMITS) for k in range(counters)]
    names = [deployment.name for deployment in (*splitters, *owners)]
    try:
        agents = _all_deployed(await client.deploy_many([*splitters, *owners]))
        shards = {view.agent_id: view.shard for view in await client.agents()}
        takers, tellers = tuple(agents[: len(splitters)]), tuple(agents[len(splitters) :])
        yield Cast(takers, tellers, _around_the_shards(takers, shards), f"{prefix} {counters}\n".encode())
    except BaseException:
        with suppress(CaxtonError):  # what went wrong first is what matters
            await client.remove_many(names)
        raise
    await client.remove_many(names)


def _all_deployed(results: Sequence[AgentId | CaxtonError]) -> list[AgentId]:
    for result in results:
        if isinstance(result, CaxtonError):
            raise result
    return [agent for agent in results if isinstance(agent, AgentId)]


def _around_the_shards(agents: Sequence[AgentId], shards: dict[int, int]) -> tuple[AgentId, ...]:
    """Order agents so that each shard gets one in turn: those of a shard that has fewer come again."""
    by_shard: dict[int, list[AgentId]] = {}
    for agent in agents:
        by_shard.setdefault(shards[agent], []).append(agent)
    most = max(len(of_shard) for of_shard in by_shard.values())
    return tuple(chain.from_iterable(zip(*(islice(cycle(each), most) for each in by_shard.values()), strict=True)))


async def handled(client: Client, cast: Cast) -> tuple[int, int]:
    """Return how many messages the splitters and the counters have handled, by the workers' own counts.

    Raises WasmExecutionFailed when one of them did not handle all it was given, NetworkError when one is gone.
    """
    views = {view.agent_id: view for view in await client.agents()}
    for agent in cast.counters + cast.splitters:  # the splitters are told when a counter fails
        if agent not in views:
            raise NetworkError(f"agent {agent}", "removed while it counted")
        _check(views[agent])
    run = [sum(views[agent].counters.get("run", 0) for agent in agents) for agents in (cast.splitters, cast.counters)]
    return run[0], run[1]


def _check(view: AgentView) -> None:
    for name, meaning in _SPOILT.items():
        if view.counters.get(name, 0):
            raise WasmExecutionFailed(view.name, f"{name}: {view.counters[name]}", meaning)
