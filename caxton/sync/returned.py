"""What calls of the client return that is more than a value: listings, the inbox, subscriptions, attached agents."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from caxton.acl.message import Message
from caxton.client.attached import agent as attached
from caxton.client.calls import agent_listing
from caxton.client.hosting import hosting
from caxton.client.interactions import subscription
from caxton.client.routes import inbox
from caxton.errors import CaxtonError, Timeout
from caxton.ids import AgentId
from caxton.sync.block import Block, Entered
from caxton.sync.called import Called
from caxton.sync.iterated import Iterated, iterated
from caxton.sync.loop_thread import LoopThread
from caxton.wire.calls import AgentView


class AgentListing:
    """Agents in the order of their names. Iterate it with `for`; `list(listing)` is a list of all.

    They are asked for while they are taken, at most 500 of each shard at a time. Who comes or goes meanwhile may be
    there or not; all others are there once. Raises ShardUnavailable, NetworkError or Timeout when a shard does not
    answer.
    """

    def __init__(self, thread: LoopThread, listing: agent_listing.AgentListing) -> None:
        self._thread, self._listing = thread, listing

    @property
    def total(self) -> int:
        """How many agents there are, also those that were not asked for; known from the first one on."""
        return self._listing.total

    def __iter__(self) -> Iterator[AgentView]:
        return iterated(self._thread, aiter(self._listing))


class Inbox(Iterated[Message]):
    """Iterate it with `for`; it ends when the client is closed.

    At most 10,000 volatile messages wait: what comes beyond is dropped and counted. About as many durable ones wait
    beside them; the rest stays in its shard until there is room. They are acknowledged when they are taken from here.
    """

    def __init__(self, thread: LoopThread, inbox: inbox.Inbox) -> None:
        super().__init__(thread, inbox)
        self._inbox = inbox

    def __len__(self) -> int:
        return len(self._inbox)

    def next(self, timeout_s: float | None = None) -> Message | None:
        """Return the next message, waiting for one; None when the client is closed and nothing is left.

        timeout_s: for how long; raises Timeout when there is none in that time.
        """
        return self._thread.run(self._next(timeout_s))

    def close(self) -> None:
        """Let whoever waits go."""
        self._thread.made(self._inbox.close)

    async def _next(self, timeout_s: float | None) -> Message | None:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._inbox.next()
        except TimeoutError:
            raise Timeout("the next message of the inbox", timeout_s or 0.0) from None


class Subscription(Iterated[Message]):
    """What an agent tells its subscriber: iterate it with `for`, best within `with`.

    Entering it subscribes, and waits for the first word; leaving it, however, sends `cancel`. Iterated without
    `with` it does both by itself; then a loop that is left by `break` cancels soon, and not at once.

    It ends when the agent says something that is neither agree nor inform, such as refuse or failure: `last_word`. It
    raises what `client.request` does when it cannot subscribe, ResourceExhausted after what is there to be read when
    more waited than may, Timeout when nothing was told for `quiet_s`, and NetworkError when the agent's worker or the
    runtime is gone.
    """

    def __init__(self, thread: LoopThread, subscription: subscription.Subscription) -> None:
        super().__init__(thread, subscription)
        self._subscription = subscription
        self._block = Block(thread, subscription)

    @property
    def last_word(self) -> Message | None:
        """What the agent ended it with; None while it goes on, and when it ended otherwise."""
        return self._subscription.last_word

    def __enter__(self) -> Self:
        self._block.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.leave(error)

    def __iter__(self) -> Iterator[Message]:
        whole = aiter(self._subscription)
        return self if whole is self._subscription else iterated(self._thread, whole)


class AttachedAgent(Entered[attached.AttachedAgent]):
    """Attached inside its `with` block; survives restarts of its worker, and ends the block with what it cannot.

    The handler runs in threads of the block, or, written with `async def`, in the loop of the client. A block that
    cannot go on, as when another program attaches the agent with replace=True, ends `wait`, and leaving it raises why.
    """

    def __init__(self, thread: LoopThread, agent: attached.AttachedAgent, called: Called) -> None:
        super().__init__(thread, agent)
        self._agent, self._called = agent, called

    @property
    def agent_id(self) -> AgentId:
        """Who it is."""
        return self._agent.agent_id

    @property
    def name(self) -> str:
        """Its name."""
        return self._agent.name

    @property
    def counts(self) -> Counter[str]:
        """What it did, by what became of it: `handled`, `failed`, `unconfirmed`, `attached`, `not_sent`, `late`."""
        return self._agent.counts

    @property
    def not_sent(self) -> deque[CaxtonError]:
        """Why messages that turns sent were refused; the newest 100."""
        return self._agent.not_sent

    @property
    def is_detached(self) -> bool:
        """True before the block and after it, and when the runtime no longer gives this agent its messages."""
        return self._agent.is_detached

    def wait(self) -> None:
        """Wait until the agent is detached."""
        self._thread.run(self._agent.wait())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
        finally:
            self._called.close()


class Hosting(Entered[hosting.Hosting]):
    """Agents of this process, attached inside its `with` block: all of them, or the block is not entered.

    When one of them cannot go on, `wait` ends, and leaving the block raises why; the others finish the calls that run.
    """

    def __init__(self, thread: LoopThread, hosting: hosting.Hosting) -> None:
        super().__init__(thread, hosting)
        self._hosting = hosting

    @property
    def agents(self) -> dict[str, attached.AttachedAgent]:
        """Each by its name."""
        return self._hosting.agents

    def wait(self) -> None:
        """Wait until the block ends."""
        self._thread.run(self._hosting.wait())
