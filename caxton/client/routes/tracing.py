"""Which messages of a client are sampled, decided once, where they are sent: the root of a trace."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import log, log1p
from random import getrandbits, random
from typing import Any

from msgspec.structs import replace

from caxton.acl.envelope import Rare
from caxton.acl.trace_context import TRACE_BYTES, begun, draws, is_sampled, trace_of
from caxton.client.routes.backlog import Entry
from caxton.client.routes.handled_now import context_now
from caxton.errors import ValidationError
from caxton.printable import shown

_TRACE_BITS = 8 * TRACE_BYTES
_FAR = 1e18
# Where an application that traces has its current span. It is looked up and never imported here.
_OPENTELEMETRY = "opentelemetry.trace"
_WITHIN: ContextVar[str | None] = ContextVar("caxton_within_trace", default=None)
# In calls of a handler: what was the current context where its agent was attached. It stays that in all of them.
_ATTACHED_WITHIN: ContextVar[str | None] = ContextVar("caxton_attached_within_trace", default=None)


@contextmanager
def within(context: str | None) -> Iterator[None]:
    """Let what is sent in this block follow from a context that came from elsewhere, sampled or not; None for none."""
    token = _WITHIN.set(context)
    try:
        yield
    finally:
        _WITHIN.reset(token)


def attach_here() -> None:
    """Let what handlers send from here on follow from what they handle, and not from what is current now."""
    _ATTACHED_WITHIN.set(_context_here())


def application_context() -> str | None:
    """Return the context of the application's current span, None where it has none."""
    telemetry: Any = sys.modules.get(_OPENTELEMETRY)
    if telemetry is None:
        return None
    span = telemetry.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags.sampled):02x}" if span.is_valid else None


def _context_here() -> str | None:
    return application_context() or _WITHIN.get()


class Tracing:
    """Of one client. ratio: of the traces that begin with it, how many are sampled, from 0 to 1.

    A message that has a trace context keeps it. Otherwise it belongs to the application's own trace, where that has a
    current span, or to that of a block that is `within` one, sampled or not; what a handler sends, to that of the
    message that it handles, or to none where that is in none. Otherwise chance decides, and of a conversation for all
    messages in the same way, whoever sends them. dice: numbers from 0 to 1.
    """

    def __init__(self, ratio: float, dice: Callable[[], float] = random) -> None:
        if type(ratio) not in {int, float} or not 0 <= ratio <= 1:
            raise ValidationError("trace_sampling_ratio", f"{shown(ratio)} is not a number from 0 to 1")
        self._ratio = float(ratio)
        self._dice = dice
        self._to_pass = self._gap()

    def context(self, conversation: bytes | None = None) -> str | None:
        """Return the context of what is done now; None when it is not sampled."""
        return self._of(self._joined(), conversation)

    def mark(self, entries: Iterable[Entry]) -> None:
        """Write its context on each message that is sampled; they are on their way, and nobody else has them."""
        joined = self._joined()
        if not joined and (joined is not None or not self._ratio):
            return
        to_pass = self._to_pass
        for entry in entries:
            message = entry[0]
            rare, conversation = message.rare, message.conversation_id
            is_drawn = joined is None and conversation is None
            if is_drawn:
                to_pass -= 1  # a look at each, and dice for each that is sampled
                if to_pass >= 0:
                    continue
                to_pass = self._gap()
            if rare is not None and rare.trace_context is not None:
                continue
            context = begun(getrandbits(_TRACE_BITS)) if is_drawn else self._of(joined, conversation)
            if context is not None:
                message.rare = Rare(trace_context=context) if rare is None else replace(rare, trace_context=context)
        self._to_pass = to_pass

    def _gap(self) -> int:
        """Return how many messages are passed over before the next one is sampled."""
        if self._ratio in {0.0, 1.0}:
            return 0
        return int(min(log(1 - self._dice()) / log1p(-self._ratio), _FAR))

    def _of(self, joined: str | None, conversation: bytes | None) -> str | None:
        if joined is not None:
            return joined or None
        if conversation is not None:
            trace = trace_of(conversation)
            return begun(trace) if draws(trace, self._ratio) else None
        return begun(getrandbits(_TRACE_BITS)) if self._dice() < self._ratio else None

    @staticmethod
    def _joined() -> str | None:
        """Return the context that all follows from which is sent now, "" for one that is not sampled; None for none."""
        context = _context_here()
        if context is not None and context != _ATTACHED_WITHIN.get():
            return context if is_sampled(context) else ""
        return context_now()
