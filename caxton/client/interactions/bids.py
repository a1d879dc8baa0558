"""What those answer whom a negotiation asks for a proposal: whoever they are, together it has a bound in bytes."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from caxton.acl.envelope import Rare
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.interactions.questions import Answering, any_agreeing
from caxton.client.routes.batches import Batch
from caxton.client.routes.bid_room import BidRoom
from caxton.errors import CaxtonError, ResourceExhausted


class Bids:
    """The answers of one negotiation, a block: at its end the room is given back.

    turned_away: proposals for which there was none, without their contents.
    """

    def __init__(self, room: BidRoom) -> None:
        self._room = room
        self._held = 0
        self.turned_away: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._room.give_back(self._held)
        self._held = 0

    def admitted(self, answer: Message | CaxtonError) -> Message | CaxtonError:
        """Return the answer, or ResourceExhausted where there is no room for its content."""
        if not isinstance(answer, Message):
            return answer
        size = len(answer.content)
        if self._room.take(size):
            self._held += size
            return answer
        if answer.performative is Performative.PROPOSE:
            self.turned_away.append(Message.of(replace(answer.envelope, content=b"")))
        return ResourceExhausted("bytes for what bidders answer", self._room.limit_of(size))


class CallsForProposals(Batch[Message]):
    """Requests of one negotiation under way, whose answers are its `bids`."""

    def __init__(self, count: int, what: str, timeout_s: float, loop: asyncio.AbstractEventLoop, bids: Bids) -> None:
        super().__init__(count, what, timeout_s, loop, strict=True)
        self._bids = bids

    def end(self, place: int, result: Message | CaxtonError) -> None:
        """Give a call its answer, if there is room for it."""
        if self.results[place] is None:
            super().end(place, self._bids.admitted(result))


def batch_of(
    count: int,
    patience_s: float,
    loop: asyncio.AbstractEventLoop,
    rare: Sequence[Rare],
    bids: Bids | None,
    *,
    strict: bool,
) -> Batch[Message]:
    """Return what so many requests, with these rare fields, are waited for as. bids: of their negotiation."""
    if bids is not None:
        return CallsForProposals(count, "request", patience_s, loop, bids)
    answering = Answering if any_agreeing(rare) else Batch
    return answering(count, "request", patience_s, loop, strict=strict)
