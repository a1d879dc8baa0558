"""What a worker's registry and placement, and a client's names, take to look something up: nothing but Python."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from bench.guests.crowd import name_of
from bench.guests.echo import echo_wasm
from caxton.agents.manifest import Manifest
from caxton.ids import AgentNames
from caxton.placement.slot_table import SlotTable
from workers.agents.registry import Agent, Registry

# So many different ones that they do not all stay in the processor's nearest cache.
PROBES = 100_000
ROUNDS = 5
_WORKERS = 2
_SEED = 1
_DIGITS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class _Ids:
    """known: of registered agents. unknown: of nobody."""

    known: list[int]
    unknown: list[int]


class Lookups:
    """A registry that grows. Every figure is the median of five rounds, of so many lookups as there are `PROBES`."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._names = AgentNames(b"any key: who places an agent")
        self._table = SlotTable.even(_WORKERS)
        self._module = sha256(echo_wasm()).digest()
        self._ids: list[int] = []
        self._dice = random.Random(_SEED)

    def grow(self, agents: int) -> None:
        """Register agents until there are so many."""
        for number in range(len(self._ids), agents):
            name = name_of(number)
            agent_id = self._names.id_of(name)
            self._registry.add(Agent(agent_id, Manifest(name, self._module)))
            self._ids.append(agent_id)
        gc.collect()
        gc.freeze()

    def figures(self) -> dict[str, Any]:
        """Return the microseconds of one lookup: each kind, with as many agents as there are."""
        ids = self._draw(PROBES)
        names = [name_of(self._dice.randrange(len(self._ids))) for _ in range(PROBES)]
        return {
            "agents": len(self._ids),
            "find_us": _us_each(self._registry.find, ids.known),
            "find_unknown_us": _us_each(self._registry.find, ids.unknown),
            "shard_of_us": _us_each(self._table.shard_of, ids.known),
            "id_of_us": _us_each(self._names.id_of, names),
        }

    def batch(self, size: int) -> dict[str, Any]:
        """Return what it takes to place and find a batch of ids, half of them of nobody."""
        rounds_us = []
        for _ in range(max(ROUNDS, PROBES // size)):
            ids = self._draw(-(-size // 2))
            mixed = [agent_id for both in zip(ids.known, ids.unknown, strict=True) for agent_id in both][:size]
            began_s = time.perf_counter()
            self._look_up(mixed)
            rounds_us.append((time.perf_counter() - began_s) * 1e6)
        batch_us = statistics.median(rounds_us)
        return {"size": size, "batch_us": round(batch_us, 1), "us_each": round(batch_us / size, _DIGITS)}

    def _look_up(self, ids: Sequence[int]) -> list[tuple[int, Agent | None]]:
        find, shard_of = self._registry.find, self._table.shard_of
        return [(shard_of(agent_id), find(agent_id)) for agent_id in ids]

    def _draw(self, count: int) -> _Ids:
        known = self._dice.choices(self._ids, k=count)
        return _Ids(known, [self._dice.getrandbits(62) | 1 << 62 for _ in range(count)])


def _us_each(look_up: Callable[[T], object], probes: Sequence[T]) -> float:
    """Return the microseconds of one call, with those of the loop around it (about 0.02)."""
    rounds_s = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        for probe in probes:
            look_up(probe)
        rounds_s.append(time.perf_counter() - began_s)
    return round(statistics.median(rounds_s) / len(probes) * 1e6, _DIGITS)
