"""Clients of the runtime, one for each principal that was here lately: what is done for one is done by its own."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.client.routes.bid_room import BidRoom
from caxton.delivery.levels import Level
from caxton.errors import ConfigurationError, NetworkError, ResourceExhausted
from caxton.gateway.counts import Counts
from caxton.gateway.limits import MAX_BIDS_BYTES, MAX_CLIENTS, MAX_INBOX_BYTES, MAX_OWN_BIDS_BYTES


class Clients:
    """Opened by `async with`; at most `most` are open, and of those that nobody uses the least recently used go.

    connect: makes a client, not open yet, that acts for a principal, with the room for what bidders answer it. What
    agents send to it that no request waits for goes to who reads its inbox; while nobody does, nothing is made or kept
    of it, and it is counted.
    """

    def __init__(self, connect: Callable[[str, BidRoom], Client], counts: Counts, most: int = MAX_CLIENTS) -> None:
        self._counts = counts
        refused = partial(counts.refuse, "bids at once", "bid_bytes", MAX_BIDS_BYTES)
        self._bid_room = BidRoom(MAX_BIDS_BYTES, refused=refused)
        self._connect = connect
        self._most = most
        # By principal, the least recently used first.
        self._open: OrderedDict[str, _Opened] = OrderedDict()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for opened in self._open.values():
            opened.over.set()
        self._open.clear()
        await self._tasks.__aexit__(None, None, None)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def bid_bytes(self) -> int:
        """What bidders answered, in negotiations under way, in bytes."""
        return self._bid_room.held

    def levels(self) -> Iterator[Level]:
        """Yield how many of them are in use, of the others one goes when another is wanted; and what bidders answer."""
        yield Level("principals", sum(opened.users > 0 for opened in self._open.values()), self._most)
        yield Level("bid_bytes", self.bid_bytes, self._bid_room.most)
        for principal, opened in self._open.items():
            yield Level("token_bid_bytes", opened.bid_room.held, opened.bid_room.most, principal)

    @asynccontextmanager
    async def acting_for(self, principal: str) -> AsyncIterator[Client]:
        """Yield an open client that acts for a principal.

        Raises what opening one raises, and ResourceExhausted when as many as may be are all in use.
        """
        async with self._using(principal) as opened:
            yield await asyncio.shield(opened.client)

    @asynccontextmanager
    async def reading(self, principal: str) -> AsyncIterator[tuple[Client, AsyncIterator[Message]]]:
        """Yield the client of a principal, and what agents send to it that no request waits for.

        A later reader of the same principal takes the place of this one, which ends with ConfigurationError. Raises
        what `acting_for` raises.
        """
        async with self._using(principal) as opened:
            client = await asyncio.shield(opened.client)
            inbox, taken = client.inbox(), opened.taken_over()
            inbox.listen()
            messages = _read(inbox, taken)
            try:
                yield client, messages
            finally:
                try:
                    await messages.aclose()
                finally:
                    if not taken.is_set():
                        inbox.pass_over(self._count_unasked)

    @asynccontextmanager
    async def _using(self, principal: str) -> AsyncIterator["_Opened"]:
        opened = self._open.get(principal)
        if opened is None or opened.is_over:
            opened = self._opening(principal)
        self._open.move_to_end(principal)
        opened.users += 1
        try:
            yield opened
        finally:
            opened.users -= 1

    def _opening(self, principal: str) -> "_Opened":
        self._open.pop(principal, None)
        if len(self._open) >= self._most:
            idle = next((name for name, opened in self._open.items() if not opened.users), None)
            if idle is None:
                self._counts.refuse("too many principals", "principals", self._most)
                raise ResourceExhausted("principals at once", self._most)
            self._open.pop(idle).over.set()
        refused = partial(
            self._counts.refuse, "bids at once of one token", "token_bid_bytes", MAX_OWN_BIDS_BYTES, principal
        )
        opened = self._open[principal] = _Opened(BidRoom(MAX_OWN_BIDS_BYTES, self._bid_room, refused))
        self._tasks.create_task(self._hold(principal, opened))
        return opened

    async def _hold(self, principal: str, opened: "_Opened") -> None:
        """Keep a client open, from one task, until it is over."""
        try:
            async with self._connect(principal, opened.bid_room) as client:
                inbox = client.inbox()
                inbox.hold_at_most(MAX_INBOX_BYTES)
                inbox.pass_over(self._count_unasked)
                opened.client.set_result(client)
                await opened.over.wait()
        except Exception as error:  # noqa: BLE001 (it is raised to whoever waits for the client)
            opened.fail(error)
        finally:
            opened.fail(NetworkError("the runtime", "the gateway ends"))
            if self._open.get(principal) is opened:
                del self._open[principal]

    def _count_unasked(self) -> None:
        self._counts.unasked += 1


async def _read(inbox: AsyncIterator[Message], taken: asyncio.Event) -> AsyncGenerator[Message, None]:
    """Yield messages until the client is closed; raises ConfigurationError when another reader takes them."""
    loop = asyncio.get_running_loop()
    ending = loop.create_task(taken.wait())
    coming = None
    try:
        while True:
            coming = loop.create_task(_next(inbox))
            await asyncio.wait({ending, coming}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                raise ConfigurationError(
                    "inbox", "another stream of this token reads it now", "read it once, or with another token"
                )
            if (message := coming.result()) is None:
                return
            yield message
    finally:
        ending.cancel()
        if coming is not None:
            coming.cancel()


async def _next(inbox: AsyncIterator[Message]) -> Message | None:
    return await anext(inbox, None)


class _Opened:
    """A client, which may still be opening. users: requests that have it. over: set when it is to be closed.

    bid_room: for what bidders answer it.
    """

    def __init__(self, bid_room: BidRoom) -> None:
        self.bid_room = bid_room
        self.client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.users = 0
        self._taken: asyncio.Event | None = None

    def taken_over(self) -> asyncio.Event:
        """Let somebody read messages from now on; returns what is set when somebody else does."""
        if self._taken is not None:
            self._taken.set()
        self._taken = asyncio.Event()
        return self._taken

    @property
    def is_over(self) -> bool:
        """Whether it is of no use any more."""
        return self.client.done() and not self.client.cancelled() and self.client.exception() is not None

    def fail(self, error: Exception) -> None:
        """Raise to whoever waits for it."""
        if not self.client.done():
            self.client.set_exception(error)
            self.client.exception()  # that nobody waits is no mistake
