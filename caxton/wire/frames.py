"""The data frame: up to 256 messages from one peer to another, and the marks that say whose they are.

A peer is a worker's incarnation (a number that grows over the life of a data directory, below 2**63) or a session (a
client's id, with the top bit set). Every frame names its source with the mark that only the supervisor could give it,
and the incarnation it was meant for.
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Envelope, Id
from caxton.wire.link_state import LinkState, Mark

VERSION = b"\x01"
MAX_FRAME_MESSAGES = 256
MAX_FRAME_BYTES = 12 << 20
# A sender closes a frame at this size; one message may go beyond it, up to MAX_FRAME_BYTES.
FULL_FRAME_BYTES = 256 << 10


class DataFrame(msgspec.Struct, array_like=True, gc=False):
    """Messages `first`, `first` + 1 … of one lane of the link from `source` to `target`.

    No messages, on the volatile lane: everything before `first` went, and what has not come is lost.
    resent: an earlier frame with these messages may have arrived, perhaps at an earlier incarnation of the target.
    state: how the link stands, in a worker's frame to a session, so that the session need not be told by another one.
    """

    source: Id
    mark: Mark
    target: Id
    lane: Annotated[int, msgspec.Meta(ge=0, le=1)]
    first: Annotated[int, msgspec.Meta(ge=1)]
    resent: bool
    messages: Annotated[list[Envelope], msgspec.Meta(max_length=MAX_FRAME_MESSAGES)]
    state: LinkState | None = None


class PackedFrame(msgspec.Struct, array_like=True, gc=False):
    """A data frame whose messages are encoded already, as they stand in the outbox: the same bytes on the wire."""

    source: int
    mark: bytes
    target: int
    lane: int
    first: int
    resent: bool
    messages: msgspec.Raw
    state: LinkState | None = None
