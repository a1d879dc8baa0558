"""What the call graph costs while somebody asks for it: stretches with it and without take turns in one runtime."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import caxton
from bench.load.beside import PAIRS, in_pairs, pairs_s, within
from bench.load.stretch import Course
from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.errors import ResourceExhausted
from caxton.testing import eventually
from caxton.wire.call_graph import CALL_GRAPH_LEASE_S

# As often as the dashboard asks.
PERIOD_S = 2.0


def graphed_s(seconds: float) -> float:
    """Return how long it takes, about, to measure so many seconds of each."""
    return pairs_s(seconds) + PAIRS * CALL_GRAPH_LEASE_S


async def graphed_pairs(runtime_dir: Path, messages: list[Message], window: int, seconds: float) -> dict[str, Any]:
    """Return what is left of the rate, and by what the computing time grows, and how well the graph is estimated."""
    async with caxton.connect(runtime_dir) as client, caxton.connect(runtime_dir) as asking:
        run = partial((await Course.begin(client)).run_quietly, messages, window)
        somebody = _Somebody(asking)
        compared = await in_pairs(seconds, run, within(somebody.asks, run))
    told = somebody.told
    asked = sum(pair.messages_per_s for pair in told.pairs) + told.rest_messages_per_s
    return {
        **compared,
        "counted": round(told.counted, 5),
        "messages_per_s_told": round(asked),
        "pairs_told": len(told.pairs),
    }


class _Somebody:
    """Asks for the call graph again and again. told: what it was last told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.told: caxton.CallGraph

    @asynccontextmanager
    async def asks(self) -> AsyncIterator[None]:
        """Ask until the block ends, and then wait until nothing is counted any more."""
        self.told = await self._client.call_graph(500, over_s=0)
        task = asyncio.get_running_loop().create_task(self._keep_asking())
        try:
            yield
        finally:
            task.cancel()
        await eventually(self._is_over)

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            with suppress(ResourceExhausted):
                self.told = await self._client.call_graph(500, over_s=0)

    async def _is_over(self) -> bool:
        return not (await self._client.stats()).totals["call_pairs"]
