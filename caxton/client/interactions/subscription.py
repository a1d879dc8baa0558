"""A subscription from the subscriber's side (FIPA SC00035): what was told and not read yet, and how it ends."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.routes.backlog import Entry
from caxton.client.routes.batches import Batch
from caxton.errors import CaxtonError, ConfigurationError, ResourceExhausted, Timeout

PROTOCOL = "fipa-subscribe"
# What waits to be read by one subscriber, at most.
MOST_UNREAD, MOST_UNREAD_BYTES = 1_000, 16 * 1024 * 1024
# For how long nothing may be told, in seconds: as long as the protocol waits.
QUIET_S = 86_400.0
_TELLS = (Performative.AGREE, Performative.INFORM)


class News(Batch[Message]):
    """What comes under the token of one subscribe. The first word has `timeout_s`; an agree or an inform is one.

    wait: has the next word with the same in_reply_to come here too. Beyond `most` messages or `most_bytes` bytes that
    nobody has read it ends with ResourceExhausted; what was told before can still be read.
    """

    def __init__(
        self,
        timeout_s: float,
        loop: asyncio.AbstractEventLoop,
        *,
        most: int = MOST_UNREAD,
        most_bytes: int = MOST_UNREAD_BYTES,
    ) -> None:
        super().__init__(1, "subscribe", timeout_s, loop, strict=True)
        self.entry: Entry | None = None
        self.wait: Callable[[Entry], None] = _nobody
        self._most, self._most_bytes = most, most_bytes
        self._unread: deque[Message] = deque()
        self._unread_bytes = 0
        self._is_heard = False
        self._changed = asyncio.Event()

    def end(self, place: int, result: Message | CaxtonError) -> None:
        """Take what was told, or that nothing more will be: an error, and whatever is neither agree nor inform."""
        if self.results[0] is not None:
            return
        self._changed.set()
        if isinstance(result, CaxtonError) or result.performative not in _TELLS:
            super().end(place, result)
            return
        self._is_heard = True
        self._timer.cancel()
        if result.performative is Performative.INFORM:
            if len(self._unread) >= self._most:
                super().end(place, ResourceExhausted("unread messages of a subscription", self._most))
                return
            if self._unread_bytes + len(result.content) > self._most_bytes:
                super().end(place, ResourceExhausted("unread bytes of a subscription", self._most_bytes))
                return
            self._unread.append(result)
            self._unread_bytes += len(result.content)
        if self.entry is not None:
            self.wait(self.entry)

    @property
    def ended(self) -> Message | CaxtonError | None:
        """What ended it, None while it goes on."""
        return self.results[0]

    async def opened(self) -> CaxtonError | None:
        """Wait for the first word. Returns the error if that is one."""
        while not self._is_heard and self.ended is None:
            self._changed.clear()
            await self._changed.wait()
        return self.ended if isinstance(self.ended, CaxtonError) and not self._unread else None

    async def next(self, quiet_s: float) -> Message | None:
        """Return what was told next; None at the end. Raises the error that ended it, Timeout after `quiet_s`."""
        while not self._unread and self.ended is None:
            self._changed.clear()
            try:
                async with asyncio.timeout(quiet_s):
                    await self._changed.wait()
            except TimeoutError:
                raise Timeout("the next word of a subscription", quiet_s) from None
        if self._unread:
            message = self._unread.popleft()
            self._unread_bytes -= len(message.content)
            return message
        if isinstance(self.ended, CaxtonError):
            raise self.ended
        return None


def may_go_on(ended: Message | CaxtonError | None) -> bool:
    """Whether an agent may still tell, whatever ended it here: then it is to be told that nobody listens."""
    return ended is None or isinstance(ended, Timeout | ResourceExhausted)


class Subscription:
    """What an agent tells its subscriber: iterate it with `async for`, best within `async with`.

    Entering it subscribes, and waits for the first word; leaving it, however, sends `cancel`. Iterated without
    `async with` it does both by itself; then a loop that is left by `break` cancels soon, and not at once.

    It ends when the agent says something that is neither agree nor inform, such as refuse or failure: `last_word`. It
    raises what `client.request` does when it cannot subscribe, ResourceExhausted after what is there to be read when
    more waited than may, Timeout when nothing was told for `quiet_s`, and NetworkError when the agent's worker or the
    runtime is gone.
    """

    def __init__(
        self, begin: Callable[[], Awaitable[News]], cancel: Callable[[News], Awaitable[None]], quiet_s: float
    ) -> None:
        self._begin, self._cancel, self._quiet_s = begin, cancel, quiet_s
        self._news: News | None = None
        self._is_left = False

    @property
    def last_word(self) -> Message | None:
        """What the agent ended it with; None while it goes on, and when it ended otherwise."""
        ended = None if self._news is None else self._news.ended
        return ended if isinstance(ended, Message) else None

    async def __aenter__(self) -> Self:
        if self._news is not None:
            raise ConfigurationError("subscription", "it was begun before", "subscribe again for another one")
        self._news = await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._news is not None and not self._is_left:
            self._is_left = True
            await self._cancel(self._news)

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._whole() if self._news is None else self

    async def __anext__(self) -> Message:
        if self._news is None:
            raise ConfigurationError("subscription", "it was not begun", "use it in `async with` or `async for`")
        message = None if self._is_left else await self._news.next(self._quiet_s)
        if message is None:
            raise StopAsyncIteration
        return message

    async def _whole(self) -> AsyncGenerator[Message]:
        async with self:
            async for message in self:
                yield message


def _nobody(entry: Entry) -> None:
    """Until there is somebody who waits."""
