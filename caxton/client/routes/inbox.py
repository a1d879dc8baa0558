"""The messages that no request of this client asked for, until the application takes them."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Self

from caxton.acl.message import Message
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
        self._messages: deque[tuple[Message, Unread | None]] = deque()
        self._unread = 0
        # Of contents: of what waits unread on the durable lane, and of all else.
        self._unread_bytes = self._bytes = 0
        self._most_bytes = INBOX_BYTES
        self._arrived = asyncio.Event()
        self._closed = False
        self._held_back = False
        # Called when half of the capacity is free again after durable messages were held back. The session sets it.
        self.on_room: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def hold_at_most(self, size: int) -> None:
        """Have room for so many bytes of contents on each lane, and one message more: for who opens many clients."""
        self._most_bytes = size

    @property
    def full(self) -> bool:
        """True when there is no room for one more message that nothing holds back."""
        return len(self._messages) - self._unread >= INBOX_CAPACITY or self._bytes >= self._most_bytes

    @property
    def full_of_unread(self) -> bool:
        """True when no more durable messages are to be taken."""
        return self._unread >= INBOX_CAPACITY or self._unread_bytes >= self._most_bytes

    def keep(self, message: Message, unread: Unread | None = None) -> None:
        """Add a message; who has found the inbox full does not. `unread`: whose acknowledgement waits for it."""
        self._messages.append((message, unread))
        if unread is None:
            self._bytes += len(message.content)
        else:
            self._unread += 1
            self._unread_bytes += len(message.content)
        self._arrived.set()

    def hold_back(self) -> None:
        """Note that durable messages were not taken for want of room: `on_room` asks for them again."""
        self._held_back = True

    async def next(self) -> Message | None:
        """Return the next message, waiting for one; None when the client is closed and nothing is left."""
        while not self._messages and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._messages:
            return None
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
