"""The messages that no request of this client asked for, until the application takes them."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Self

from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.client.routes.pace import Pace
from caxton.client.routes.unread import Unread

# Of messages that wait, on each lane: how many, and the bytes of their contents.
INBOX_CAPACITY, INBOX_BYTES = 10_000, 64 << 20


class Inbox:
    """Iterate it with `async for`; it ends when the client is closed.

    At most 10,000 volatile messages wait, or 64 MiB of contents: what comes beyond is dropped and counted. About as
    many durable ones wait beside them; the rest stays in its shard until there is room. They are acknowledged when they
    are taken from here.
    """

    def __init__(self) -> None:
        # Each with those it is one of, when it is durable.
        self._messages: deque[tuple[Envelope, Unread | None]] = deque()
        # Called for each message that comes while nobody is to read it.
        self._count: Callable[[], object] | None = None
        self._unread = 0
        # Of contents: of what waits unread on the durable lane, and of all else.
        self._unread_bytes = self._bytes = 0
        self._most_bytes = INBOX_BYTES
        # Of a client that has not the whole process.
        self._pace: Pace | None = None
        self._arrived = asyncio.Event()
        self._closed = False
        self._held_back = False
        # Called when half of the capacity is free again after durable messages were held back. The session sets it.
        self.on_room: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def hold_at_most(self, size: int) -> None:
        """Have room for so many bytes of contents on each lane, and one message more: for who opens many clients.

        What finds no room, or is passed over, is taken no faster than `Pace` has it.
        """
        self._most_bytes = size
        self._pace = Pace()

    def pass_over(self, count: Callable[[], object]) -> None:
        """Keep nothing until `listen`, neither what waits nor what comes; `count` is called for each of these."""
        self._count = count
        while self._messages:
            self._first()
            count()

    def listen(self) -> None:
        """Keep what comes from now on."""
        self._count = None

    @property
    def passes_over(self) -> bool:
        """True while nothing is kept."""
        return self._count is not None

    @property
    def full(self) -> bool:
        """True when there is no room for one more message that nothing holds back."""
        return len(self._messages) - self._unread >= INBOX_CAPACITY or self._bytes >= self._most_bytes

    @property
    def full_of_unread(self) -> bool:
        """True when no more durable messages are to be taken."""
        return self._unread >= INBOX_CAPACITY or self._unread_bytes >= self._most_bytes

    def keep(self, message: Envelope, unread: Unread | None = None) -> None:
        """Add a message; who has found the inbox full does not. `unread`: whose acknowledgement waits for it."""
        if self._count is not None:
            self._count()
            self.drop(message)
            return
        self._messages.append((message, unread))
        if unread is None:
            self._bytes += len(message.content)
        else:
            self._unread += 1
            self._unread_bytes += len(message.content)
        self._arrived.set()

    def drop(self, message: Envelope) -> None:
        """Note that a message was not kept."""
        if self._pace is not None:
            self._pace.drop(len(message.content))

    def rest_s(self, now_s: float) -> float:
        """Return for how long no messages are to be taken; so long they wait in their shards."""
        return 0.0 if self._pace is None else self._pace.rest_s(now_s)

    def hold_back(self) -> None:
        """Note that durable messages were not taken for want of room: `on_room` asks for them again."""
        self._held_back = True

    async def next(self) -> Message | None:
        """Return the next message, waiting for one; None when the client is closed and nothing is left."""
        while not self._messages and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        return Message.of(self._first()) if self._messages else None

    def _first(self) -> Envelope:
        message, unread = self._messages.popleft()
        if unread is None:
            self._bytes -= len(message.content)
        else:
            self._unread -= 1
            self._unread_bytes -= len(message.content)
            unread.read()
        if self._held_back and self._unread <= INBOX_CAPACITY // 2 and self._unread_bytes <= self._most_bytes // 2:
            self._held_back = False
            if self.on_room is not None:
                self.on_room()
        return message

    def close(self) -> None:
        """Let whoever waits go."""
        self._closed = True
        self._arrived.set()

    def __await__(self) -> Generator[None, None, Self]:
        """Return itself at once: there is nothing to wait for."""
        yield from ()
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self.next()
        if message is None:
            raise StopAsyncIteration
        return message
