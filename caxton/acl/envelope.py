"""A message as it travels: trusted fields, in the order of the wire. The public, checked face of it is `Message`.

The fields that most messages have come first; the rest stand in `Rare`, so that a plain message pays one byte for them.
"""

from typing import Annotated

import msgspec

UuidBytes = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Id = Annotated[int, msgspec.Meta(ge=0)]
Text = Annotated[str, msgspec.Meta(max_length=255)]

MAX_CONTENT = 10_000_000

# A message that the runtime made by itself (a failure). Nothing automatic is ever answered automatically.
AUTOMATIC = 1
# A message of the durable lane. What an agent sends while it handles one is durable too.
DURABLE = 2
# Whose lane the call that sends it chooses. Never on the wire.
LANE_OPEN = 4


class Rare(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The FIPA fields and options that few messages set."""

    language: Text | None = None
    encoding: Text | None = None
    ontology: Text | None = None
    protocol: Text | None = None
    reply_to: Id | None = None
    reply_by: Id | None = None
    trace_context: Text | None = None
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    idempotency_key: Text | None = None
    # The number of the dead letter that this message was before.
    requeued_from: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Envelope(msgspec.Struct, array_like=True, gc=False):
    """One message on its way.

    message_id: 16 bytes. performative: a `Performative` number. sender, receiver: u64. created_at: ms since 1970.
    level: a `Level` number. timeout_ms: how long from now it is worth delivering. flags: AUTOMATIC, DURABLE.
    """

    message_id: UuidBytes
    performative: Annotated[int, msgspec.Meta(ge=0, le=21)]
    sender: Id
    receiver: Id
    content: bytes
    reply_with: UuidBytes | None = None
    in_reply_to: UuidBytes | None = None
    conversation_id: UuidBytes | None = None
    created_at: Id = 0
    level: Annotated[int, msgspec.Meta(ge=1, le=10)] = 5
    timeout_ms: Annotated[int, msgspec.Meta(ge=0, le=300_000)] = 30_000
    flags: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    rare: Rare | None = None
