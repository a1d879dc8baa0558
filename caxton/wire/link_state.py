"""How a link stands, as one peer tells the other: in a control frame of its own, or at the end of a data frame."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id, Text
from caxton.wire.calls import Fields, Sequence

MARK_BYTES = 16
Mark = Annotated[bytes, msgspec.Meta(min_length=MARK_BYTES, max_length=MARK_BYTES)]
MAX_REFUSALS = 256
MAX_FULL = 4_096
LaneNumber = Annotated[int, msgspec.Meta(ge=0, le=1)]


class Refusal(msgspec.Struct, array_like=True, frozen=True):
    """Why `count` messages from `sequence` on were not placed: an error of `caxton.errors`, by name and fields."""

    sequence: Sequence
    count: Annotated[int, msgspec.Meta(ge=1)]
    error: Text
    fields: Fields


class LinkState(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """Both directions of one lane between two peers, as the source sees them. `number` grows; an older one is ignored.

    closed: why the source takes nothing new on this lane (its disk is full), or "". Of what the source receives:
    `taken` (every sequence up to it was placed or is in `refusals`), credit as the last sequence and the byte total
    the other may reach, the oldest unconfirmed refusals (numbered from `refusals_from`), and the agents that the other
    fed and that have no room. Of what it sends: the last sequence emitted (0 while it waits for no word of the other),
    and how many of the other's refusals it has seen.
    """

    source: Id
    mark: Mark
    target: Id
    lane: LaneNumber
    number: Sequence
    closed: Text
    taken: Sequence
    credit_messages: Sequence
    credit_bytes: Sequence
    refusals_from: Sequence
    refusals: Annotated[list[Refusal], msgspec.Meta(max_length=MAX_REFUSALS)]
    full: Annotated[list[Id], msgspec.Meta(max_length=MAX_FULL)]
    emitted: Sequence
    refusals_seen: Sequence
