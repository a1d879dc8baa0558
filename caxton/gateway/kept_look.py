"""Looks at what is kept, which take the longer the more there is: beside scrapes, and for a small part of the time."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.gateway.clients import Clients
from caxton.gateway.limits import KEPT_PERIOD_S, KEPT_SHARE, KEPT_TIMEOUT_S
from caxton.store.ledger import Ledger
from caxton.wire.told import ConversationStats, DeadLetterStats

T = TypeVar("T")


class Kept(NamedTuple):
    """What was found; None for what a shard did not tell."""

    ledger: Ledger | None
    dead_letters: DeadLetterStats | None
    conversations: ConversationStats | None


class KeptLook:
    """Counts what all shards keep, row by row, at most each 15 s, and at most a twentieth of the time.

    Opened by `async with`. kept: what the last look found, None before the first; age_s: how long ago that was.
    """

    def __init__(self, clients: Clients, principal: str) -> None:
        self._clients = clients
        self._principal = principal
        self._tasks = asyncio.TaskGroup()
        self._looking: asyncio.Task[None] | None = None
        self._looked_s = self._due_s = 0.0
        self.kept: Kept | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await self._tasks.__aexit__(kind, error, traceback)

    @property
    def age_s(self) -> float:
        """How long ago the last look was; 0 before the first."""
        return 0.0 if self.kept is None else asyncio.get_running_loop().time() - self._looked_s

    def begin(self) -> None:
        """Begin another look, unless one goes on or the last was not long ago."""
        if self._looking is None and asyncio.get_running_loop().time() >= self._due_s:
            self._looking = self._tasks.create_task(self._look())

    async def first(self) -> None:
        """Wait for the first look."""
        if self.kept is None and self._looking is not None:
            await asyncio.shield(self._looking)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with self._clients.acting_for(self._principal) as client:
                self.kept = Kept(*await _all_of(client))
        except CaxtonError:
            self.kept = Kept(None, None, None)
        self._looked_s = loop.time()
        self._due_s = self._looked_s + max(KEPT_PERIOD_S, (self._looked_s - began_s) / KEPT_SHARE)
        self._looking = None


async def _all_of(client: Client) -> tuple[Ledger | None, DeadLetterStats | None, ConversationStats | None]:
    return await asyncio.gather(
        part(client.ledger, KEPT_TIMEOUT_S),
        part(client.dead_letter_stats, KEPT_TIMEOUT_S),
        part(client.conversation_stats, KEPT_TIMEOUT_S),
    )


async def part(call: Callable[[], Awaitable[T]], timeout_s: float) -> T | None:
    """Return what a call tells, None where a shard does not answer it in time."""
    try:
        async with asyncio.timeout(timeout_s):
            return await call()
    except (CaxtonError, TimeoutError):
        return None
