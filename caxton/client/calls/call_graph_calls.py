"""What a client asks about who talks to whom."""

import asyncio
from collections import defaultdict

from msgspec.structs import replace

from caxton.client.calls.arguments import check_whole, seconds
from caxton.client.connection import Connection
from caxton.errors import ShardUnavailable, ValidationError
from caxton.wire.call_graph import CLIENTS, MAX_NAMES, MAX_PAIRS, AskCallGraph, AskNames, CallGraph, Names, merged

# What is waited for at most until as much as was wished for is counted.
MOST_OVER_S = 10.0


class CallGraphCalls(Connection):
    """`call_graph`."""

    async def call_graph(self, limit: int = 100, *, over_s: float = 1.0) -> CallGraph:
        """Return who talks to whom, of all shards: the pairs with most messages and failures, at most 500.

        Shards count from the first call on, until nobody has asked for 10 s, and tell of the last 5 to 10 s. over_s:
        where less has been counted it is waited for, 10 s at most; with 0 what there is comes at once. Rates are exact
        where few messages go by, and estimates with their standard errors where more than 5,000 a second do in a
        shard. A shard that does not serve is one of `missing`. Raises ValidationError, NetworkError, Timeout.
        """
        check_whole("limit", limit, 1, MAX_PAIRS)
        wanted_s = checked_over_s(over_s)
        found = await self._graphs(limit)
        if found.over_ms < wanted_s * 1_000:
            await asyncio.sleep(wanted_s - found.over_ms / 1_000)
            found = await self._graphs(limit)
        return await self._with_names(found)

    async def _graphs(self, limit: int) -> CallGraph:
        shards = range(self._open().shards)
        calls = [self._call(shard, AskCallGraph(limit), CallGraph) for shard in shards]
        parts: list[CallGraph] = []
        for shard, told in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
            if isinstance(told, ShardUnavailable):
                parts.append(CallGraph([], 0.0, 0.0, 0, 1.0, [shard]))
            elif isinstance(told, BaseException):
                raise told
            else:
                parts.append(told)
        return merged(parts, limit)

    async def _with_names(self, graph: CallGraph) -> CallGraph:
        """Return the graph with the names of those who send to other shards, as far as these tell them."""
        table, asked = self._open().table, defaultdict[int, set[int]](set)
        for pair in graph.pairs:
            if pair.sender_id != CLIENTS and not pair.sender_name:
                asked[table.shard_of(pair.sender_id)].add(pair.sender_id)
        calls = [self._call(shard, AskNames(sorted(ids)[:MAX_NAMES]), Names) for shard, ids in asked.items()]
        names: dict[int, str] = {}
        for told in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(told, Names):
                names |= told.names
            elif not isinstance(told, ShardUnavailable):
                raise told
        pairs = [replace(pair, sender_name=pair.sender_name or names.get(pair.sender_id, "")) for pair in graph.pairs]
        return replace(graph, pairs=pairs)


def checked_over_s(over_s: float) -> float:
    """Return for how long is to be counted at least. Raises ValidationError."""
    wanted_s = seconds(over_s, "over_s")
    if wanted_s > MOST_OVER_S:
        raise ValidationError("over_s", f"{over_s:g} is more than {MOST_OVER_S:g}: so much is kept")
    return wanted_s
