"""What every part of the client without a loop stands on: a client with one, in a loop in a thread of its own."""

import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from caxton.client import client
from caxton.client.connection import Agent
from caxton.client.session.forks import abandon_in_children
from caxton.ids import AgentId
from caxton.sync.block import Block
from caxton.sync.iterated import iterated
from caxton.sync.loop_thread import UNCLOSED_S, LoopThread

T = TypeVar("T")


class Connection:
    """A line to a runtime, open from when it is made until `close`, or the end of its `with` block.

    An agent is named by its id or its name, or by the `AgentView` that `agents` and `inspect` return of it.

    It may be used in every thread, also where an event loop runs, as in a notebook, which waits meanwhile. A call that
    Ctrl-C interrupts is cancelled before KeyboardInterrupt is raised. Use after the end, and in a child that was forked
    inside it, raises ConfigurationError, and so does a call in a coroutine that its own loop runs.

    When the runtime ends and is started again, the client connects again by itself, unless reconnect is False. What was
    under way then is a NetworkError, because it may have happened; what has an idempotency key is sent again, and what
    had not left yet is sent. All else waits, each call for as long as its own timeout.
    """

    def __init__(self, client: "client.Client") -> None:
        self._client = client
        self._thread = LoopThread()
        self._block = Block(self._thread, client)
        try:
            self._block.enter()
        except BaseException:
            self._thread.close()
            raise
        # Made after the client's own, and so called before it at the interpreter's end.
        self._unclosed = weakref.finalize(self, _end_unclosed, client, self._thread)
        abandon_in_children(self)

    def __enter__(self) -> Self:
        if (over := self._thread.over) is not None:
            raise over
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; calls that wait get NetworkError. Closing twice is fine."""
        if self._unclosed.detach() is None:
            return
        try:
            if self._thread.is_this:
                self._client.close()
            else:
                self._block.leave()
        finally:
            self._thread.close()

    def abandon(self) -> None:
        """In a forked child: this client is the parent's, and no use here. Called by itself."""
        self._unclosed.detach()
        self._thread.abandon()

    def id_of(self, agent: Agent) -> AgentId:
        """Return the id of an agent; whether there is such an agent is not asked.

        Raises ValidationError for what can be none.
        """
        if (over := self._thread.over) is not None:
            raise over
        return self._client.id_of(agent)

    @property
    def session_id(self) -> AgentId:
        """The id of its session: agents see it as the sender of what it sends, and may send to it.

        It is another one when the client has connected again.
        """
        return self._made(lambda: self._client.session_id)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._thread.run(coroutine)

    def _made(self, make: Callable[[], T]) -> T:
        return self._thread.made(make)

    def _iterated(self, some: AsyncIterator[T]) -> Iterator[T]:
        return iterated(self._thread, some)


def _end_unclosed(client: "client.Client", thread: LoopThread) -> None:
    """End what was collected, or is there at the interpreter's end, and was never closed."""
    thread.later(_closed(client))
    thread.close(UNCLOSED_S)
    warnings.warn("a client was never closed; use `with caxton.connect_sync()`", ResourceWarning, stacklevel=2)


async def _closed(client: "client.Client") -> None:
    client.close()
