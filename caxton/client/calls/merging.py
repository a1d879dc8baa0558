"""What several shards tell in order becomes one order."""

from collections.abc import AsyncIterator, Callable, Sequence
from heapq import heapify, heappop, heapreplace
from typing import TypeVar

One = TypeVar("One")


async def merged(shards: Sequence[AsyncIterator[One]], key: Callable[[One], str]) -> AsyncIterator[One]:
    """Yield what each of them yields in the order of their keys, and ask for no more than the first of each."""
    firsts = [(shard, await anext(several, None)) for shard, several in enumerate(shards)]
    heads = [(key(one), shard, one) for shard, one in firsts if one is not None]
    heapify(heads)
    while heads:
        _, shard, one = heads[0]
        yield one
        following = await anext(shards[shard], None)
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (key(following), shard, following))
