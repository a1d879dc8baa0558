"""Agents of all shards, a page of each at a time."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Self

from caxton.agents.lifecycle import TOLD_STATES
from caxton.agents.names import MAX_NAME, check_text
from caxton.client.calls.arguments import check_whole
from caxton.client.calls.merging import merged
from caxton.errors import ValidationError
from caxton.printable import shown
from caxton.wire.calls import MAX_BATCH, Agents, AgentView, ListAgents


class AgentListing:
    """Agents in the order of their names. Iterate it with `async for`, or await it for a list of all.

    They are asked for while they are taken, at most 500 of each shard at a time. Who comes or goes meanwhile may be
    there or not; all others are there once. Raises ShardUnavailable, NetworkError or Timeout when a shard does not
    answer.
    """

    def __init__(
        self,
        ask: Callable[[int, ListAgents], Awaitable[Agents]],
        shards: int,
        name: str | None,
        state: str | None,
        limit: int | None,
        after: str = "",
    ) -> None:
        if name is not None:
            check_text("name", name, MAX_NAME)
        if state is not None and state not in TOLD_STATES:
            raise ValidationError("state", f"{shown(state)} is not one of {', '.join(TOLD_STATES)}")
        if limit is not None:
            check_whole("limit", limit, 0, sys.maxsize)
        if after:
            after = check_text("after", after, MAX_NAME)
        self._ask = ask
        self._name = name
        self._state = state
        self._limit = limit
        self._after = after
        self._among: tuple[str, ...] = ()
        self._totals = [0] * shards

    def only(self, patterns: tuple[str, ...]) -> Self:
        """List those alone whose names fit one of these: for who may see no others."""
        self._among = patterns
        return self

    @property
    def total(self) -> int:
        """How many agents there are, also those that were not asked for; known from the first one on."""
        return sum(self._totals)

    async def __aiter__(self) -> AsyncIterator[AgentView]:
        left = sys.maxsize if self._limit is None else self._limit
        shards = [self._of_shard(shard, left) for shard in range(len(self._totals))] if left else []
        async for view in merged(shards, _name):
            yield view
            left -= 1
            if not left:
                return

    def __await__(self) -> Generator[Any, None, list[AgentView]]:
        return self._listed().__await__()

    async def _listed(self) -> list[AgentView]:
        return [view async for view in self]

    async def _of_shard(self, shard: int, left: int) -> AsyncIterator[AgentView]:
        """Yield agents of one shard, at most `left` of them."""
        after, more = self._after, True
        while more and left:
            page = await self._ask(shard, ListAgents(after, min(left, MAX_BATCH), self._name, self._state, self._among))
            self._totals[shard] = page.total
            for view in page.agents:
                yield view
            left -= len(page.agents)
            after, more = page.after, page.more and page.after > after


def _name(view: AgentView) -> str:
    return view.name
