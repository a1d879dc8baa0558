"""A message as it travels: trusted fields, in the order of the wire. The public, checked face of it is `Message`.

The fields that most messages have come first; the rest stand in `Rare`, so that a plain message pays one byte for them.
"""

from typing import Annotated

import msgspec

from caxton.acl.capability import Balancing, is_nobody, label_of

UuidBytes = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Id = Annotated[int, msgspec.Meta(ge=0)]
Text = Annotated[str, msgspec.Meta(max_length=255)]

MAX_CONTENT = 10_000_000
# The most that a client may allow what follows from its message: hops, and messages with a KiB of contents each.
MAX_HOPS, MAX_WORK = 100_000, 100_000_000
# Of a principal's name, in characters.
MAX_PRINCIPAL = 100
# Agents that one message to a capability is tried with.
MOST_TRIED = 10
# Messages that one turn may send.
MOST_OF_TURN = 256
# Handlers that wait for one message's answer, each for the next, and are known with it: of more, the last ones.
MOST_WAITERS = 64
# Of what says that a session was given a cause.
SEAL_BYTES = 16

# What a confirmation says as its protocol: the word to a sender who asked for a receipt that its message was handled.
RECEIPT_PROTOCOL = "caxton:receipt"

# A message that the runtime made by itself (a failure). Nothing automatic is ever answered automatically.
AUTOMATIC = 1
# A message of the durable lane. What an agent sends while it handles one is durable too.
DURABLE = 2
# Whose lane the call that sends it chooses. Never on the wire.
LANE_OPEN = 4


class Opening(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a conversation may be, as the message says that opens it, or that lets somebody into it.

    All is 0 where the runtime's own limits hold. timeout_s: for how long after its opening. hops, turns, size: how far
    from a root its messages may be, how many of them agents may be given, and the bytes of all contents. initiator,
    opened_ms: who opened it and when (ms since 1970); only workers write these two.
    """

    participants: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    timeout_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 0
    hops: Annotated[int, msgspec.Meta(ge=0, le=MAX_HOPS)] = 0
    turns: Id = 0
    size: Id = 0
    keeps_contents: bool = False
    initiator: Id = 0
    opened_ms: Id = 0


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
    # What stands below was appended, each with a default: what was written without it is still read.
    # The capability that this message was sent to, and the agents that were tried for it already.
    capability: Text | None = None
    tried: Annotated[tuple[Id, ...], msgspec.Meta(max_length=MOST_TRIED)] = ()
    # What its sender calls the receiver, for errors and dead letters.
    receiver_name: Text | None = None
    # Wall time, in ms since 1970, after which it is not worth delivering.
    expires_at: Id | None = None
    receipt: bool = False
    # How far and how much may follow from this message, a root, at most; 0 as much as anything else may.
    max_hops: Annotated[int, msgspec.Meta(ge=0, le=MAX_HOPS)] = 0
    max_work: Annotated[int, msgspec.Meta(ge=0, le=MAX_WORK)] = 0
    # How one of those who have the capability is chosen; None as is usual.
    balancing: Balancing | None = None
    # Of the conversation that this message opens, or lets its receiver into.
    conversation: Opening | None = None
    # With a capability and a receiver that is nobody: each agent that has it is sent one, if they are no more than so
    # many; 0 for a message to one of them.
    everyone: Annotated[int, msgspec.Meta(ge=0, le=MOST_OF_TURN)] = 0


class Waiters(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Which attached agents' handlers wait for the answer to a message: the ids of what they handle, the last one last.

    seal: by what a worker knows again that a session was given this cause; empty between workers.
    """

    deliveries: Annotated[tuple[UuidBytes, ...], msgspec.Meta(max_length=MOST_WAITERS)] = ()
    seal: Annotated[bytes, msgspec.Meta(max_length=SEAL_BYTES)] = b""


class Cause(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a message follows from. The runtime alone says so; all that a turn sends to agents shares one.

    hops: how far the root is. root: the id of the message that a client sent. principal: who it acts for, "" is the
    runtime's owner. most_hops, most_work: the limits of this root, 0 where they are the usual ones. waiters: who waits
    for the answer, None for nobody; a session that claims a cause, which it was given, has the seal of it there.
    """

    hops: Id
    root: UuidBytes
    principal: Annotated[str, msgspec.Meta(max_length=MAX_PRINCIPAL)] = ""
    most_hops: Annotated[int, msgspec.Meta(ge=0, le=MAX_HOPS)] = 0
    most_work: Annotated[int, msgspec.Meta(ge=0, le=MAX_WORK)] = 0
    waiters: Waiters | None = None


def is_over(rare: Rare, wall_ms: int) -> bool:
    """Whether the moment has passed until which a message is worth delivering, if its sender named one."""
    return rare.expires_at is not None and rare.expires_at <= wall_ms


class Envelope(msgspec.Struct, array_like=True, gc=False):
    """One message on its way.

    message_id: 16 bytes. performative: a `Performative` number. sender, receiver: u64. created_at: ms since 1970.
    level: a `Level` number. timeout_ms: how long from now it is worth delivering. flags: AUTOMATIC, DURABLE.
    cause: None for what follows from nothing, as a client's messages do, and for what has left for clients. What a
    client sends while it handles a message of an attached agent follows from that one.
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
    cause: Cause | None = None


def called(message: Envelope) -> str:
    """Return whom a message is for, in the text of an error: as its sender calls the receiver, or the receiver's id."""
    rare = message.rare
    if rare is None or rare.receiver_name is None:
        if rare is not None and rare.capability is not None and is_nobody(message.receiver):
            return label_of(rare.capability)
        return f"{message.receiver:016x}"
    return rare.receiver_name
