"""The agents of one run of the words demo: splitters that take the text, counters that count the words."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import caxton.guests
from caxton.acl.failure import read_report
from caxton.agents.deployment import Deployment
from caxton.agents.limits import KIB, MIB, Limits
from caxton.client.client import Client
from caxton.demo.totals import Totals
from caxton.errors import (
    AgentError,
    CaxtonError,
    InvalidMessageFormat,
    NetworkError,
    ResourceLimitExceeded,
    WasmExecutionFailed,
)
from caxton.ids import AgentId

COUNTER_WASM = Path(caxton.guests.__file__).parent / "counter.wasm"
SPLITTER_WASM = Path(caxton.guests.__file__).parent / "splitter.wasm"
SPLITTERS_PER_WORKER = 4
FEWEST_COUNTERS, MOST_COUNTERS = 64, 4_096

# A counter's state holds at most 64 KiB of words, and a report of ten thousand of them takes milliseconds.
COUNTER_LIMITS = Limits(max_memory_bytes=2 * MIB, max_fuel=10**9, max_execution_ms=1_000, mailbox_capacity=4_096)
SPLITTER_LIMITS = Limits(max_fuel=10**9, max_execution_ms=1_000)

TEXT_BYTES_PER_COUNTER = 24 * KIB
# What a counter's words may take, and its error code when it has no room for another (caxton/guests/counter.c).
MAX_TABLE_BYTES = 65_535
NO_ROOM = -2

# What no splitter may have in its worker's counters, and what it means if it has.
_SPOILT = {
    "failed": "its turns trapped, or what they gave is no output",
    "agent_errors": "it refused texts",
    "expired": "texts waited for it until they expired",
}


def counters_for(total_bytes: int) -> int:
    """Return how many counters a text of this size gets: one for each 24 KiB, from 64 to 4,096.

    So many have room for every word of a text of up to 96 MiB, were all of them different: words of ordinary length
    take a third more than in the text. A text that repeats its words, as texts do, may be of any size.
    """
    return max(FEWEST_COUNTERS, min(MOST_COUNTERS, total_bytes // TEXT_BYTES_PER_COUNTER))


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

    Each worker has a splitter. Raises what the deployment raises, for instance InvalidModule.
    """
    run = f"words-{secrets.token_hex(6)}"
    prefix = f"{run}-counter-"
    owners = [
        Deployment(f"{prefix}{k}", counter_wasm, encoding="msgpack", limits=COUNTER_LIMITS) for k in range(counters)
    ]
    names = [owner.name for owner in owners]
    takers: list[AgentId] = []
    shards: dict[int, int] = {}
    try:
        tellers = _all_deployed(await client.deploy_many(owners))
        while len({shards[taker] for taker in takers}) < workers:  # which a name has is chance: all may have the same
            more = [
                Deployment(
                    f"{run}-splitter-{len(takers) + k}", SPLITTER_WASM, encoding="msgpack", limits=SPLITTER_LIMITS
                )
                for k in range(SPLITTERS_PER_WORKER * workers)
            ]
            names += [splitter.name for splitter in more]
            takers += _all_deployed(await client.deploy_many(more))
            shards = {view.agent_id: view.shard for view in await client.agents()}
        turns = _around_the_shards(takers, shards)
        yield Cast(tuple(takers), tuple(tellers), turns, f"{prefix} {counters}\n".encode())
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


async def check_splitters(client: Client, cast: Cast) -> None:
    """Raise WasmExecutionFailed when a splitter has not split what it was given, by its worker's count of this life.

    When a counter fails, the splitters are told. Raises AgentNotFound when one is gone.
    """
    for splitter in cast.splitters:
        view = await client.inspect(splitter)
        for name, meaning in _SPOILT.items():
            if view.counters.get(name, 0):
                raise WasmExecutionFailed(view.name, f"{name}: {view.counters[name]}", meaning)


def failure_of(totals: Totals, cast: Cast) -> CaxtonError:
    """Return why something that a splitter sent came to nothing: its first failure."""
    try:
        error = read_report(totals.first_failure)
    except InvalidMessageFormat:
        return NetworkError("a splitter", f"{totals.failures} of its messages came to nothing")
    if isinstance(error, AgentError) and error.error_code == NO_ROOM:
        detail = f"its words have no room in it: use more counters than {len(cast.counters)}, with --counters"
        return ResourceLimitExceeded(error.agent, "state", MAX_TABLE_BYTES, detail)
    return error
