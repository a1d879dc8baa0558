"""What an attached agent's handler handles while it runs: what it sends meanwhile says that it follows from that."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from msgspec import structs

from caxton.acl.envelope import Cause, Waiters
from caxton.acl.trace_context import behind, is_sampled, span_of
from caxton.delivery.causes import while_handled
from caxton.wire.delivery import Delivery


class Given(Protocol):
    """A message that was given to this program. number: under which its shard knows it now, 0 when it does not."""

    delivery: Delivery
    number: int


class HandledNow:
    """What one call of a handler was given. What tasks that it has begun send after it has ended is a root again.

    session: that it was given to, and to which alone its cause is known. ask: returns the seal of that, empty when it
    is not to be had; most handlers send nothing, so it is asked for where it does not come with the message.
    """

    __slots__ = ("_ask", "_cause", "_given", "_seal", "_session", "is_over")

    def __init__(self, given: Given, session: int, ask: Callable[[Given], Awaitable[bytes]]) -> None:
        self._given = given
        self._session = session
        self._ask = ask
        self._seal = given.delivery.seal
        self._cause: Cause | None = None
        self.is_over = False

    async def be_sealed(self, session: int) -> None:
        """Ask for the seal, if this session is to send something and nobody has."""
        if self._seal is None and session == self._session and not self.is_over:
            self._seal = await self._ask(self._given)

    def cause(self, session: int) -> Cause | None:
        """Return the cause of what this session sends now, None when that is a root."""
        if self.is_over or session != self._session or not self._seal:
            return None
        if self._cause is None:
            cause = while_handled(self._given.delivery.message)
            deliveries = () if cause.waiters is None else cause.waiters.deliveries
            self._cause = structs.replace(cause, waiters=Waiters(deliveries, self._seal))
        return self._cause

    @property
    def context(self) -> str | None:
        """The trace context of what is sent now, "" where the message is in no trace; None when the call is over."""
        if self.is_over:
            return None
        message = self._given.delivery.message
        context = None if message.rare is None else message.rare.trace_context
        if context is None or not is_sampled(context):
            return ""
        return behind(context, span_of(message.message_id, self._given.delivery.attempts, message.receiver))


HANDLED_NOW: ContextVar[HandledNow | None] = ContextVar("caxton_handled_now", default=None)


async def be_sealed(session: int) -> None:
    """Have what this session sends now known for what it follows from, within a handler."""
    handled = HANDLED_NOW.get()
    if handled is not None:
        await handled.be_sealed(session)


def cause_now(session: int) -> Cause | None:
    """Return the cause of what this session sends now, None outside of handlers."""
    handled = HANDLED_NOW.get()
    return None if handled is None else handled.cause(session)


def context_now() -> str | None:
    """Return the trace context of what is sent now, None outside of handlers."""
    handled = HANDLED_NOW.get()
    return None if handled is None else handled.context
