"""What a client takes to look agents up: one, many at once, all of them."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Any

from bench.guests.crowd import name_of
from bench.load.latencies import Latencies
from caxton.client.client import Client
from caxton.errors import AgentNotFound

# A worker's socket for answers has room for 256 frames, and learns of up to 128 late that they left it. One that finds
# no room is dropped, and its call ends with a Timeout: with so many at a time each finds room.
AT_ONCE = 100
_BATCH_ROUNDS = 3
_SEED = 1


class WireLookups:
    """Asks, through one client, about agents `echo-0` and so on. count: how often one is asked about, alone."""

    def __init__(self, client: Client, count: int) -> None:
        self._client = client
        self._count = count
        self._dice = random.Random(_SEED)

    async def figures(self, agents: int) -> dict[str, Any]:
        """Ask about one registered agent after the other, about names that nobody has, and for the list of all.

        The list is asked for twice: after a registration, a shard sorts its agents by name first.
        """
        return {
            "agents": agents,
            "inspect_us": (await self._inspect([name_of(self._any(agents)) for _ in range(self._count)])).summary(),
            "unknown_us": (await self._inspect([f"nobody-{number}" for number in range(self._count)])).summary(),
            "first_list_s": await self._list_s(agents),
            "list_s": await self._list_s(agents),
        }

    async def batch(self, size: int, agents: int) -> dict[str, Any]:
        """Ask about so many, 100 at a time under way; the best of three rounds."""
        best_s = float("inf")
        for _ in range(_BATCH_ROUNDS):
            names = [name_of(self._any(agents)) for _ in range(size)]
            began_s = time.perf_counter()
            for start in range(0, size, AT_ONCE):
                await asyncio.gather(*(self._client.inspect(name) for name in names[start : start + AT_ONCE]))
            best_s = min(best_s, time.perf_counter() - began_s)
        return {"size": size, "batch_us": round(best_s * 1e6), "us_each": round(best_s / size * 1e6, 1)}

    def _any(self, agents: int) -> int:
        return self._dice.randrange(agents)

    async def _inspect(self, names: Sequence[str]) -> Latencies:
        latencies = Latencies()
        for name in names:
            began_s = time.perf_counter()
            with contextlib.suppress(AgentNotFound):  # which is the answer when nobody has that name
                await self._client.inspect(name)
            latencies.record(time.perf_counter() - began_s)
        return latencies

    async def _list_s(self, agents: int) -> float:
        began_s = time.perf_counter()
        found = len(await self._client.agents())
        seconds = time.perf_counter() - began_s
        if found != agents:
            raise AssertionError(f"{found} agents are listed, and {agents} are registered")
        return round(seconds, 4)
