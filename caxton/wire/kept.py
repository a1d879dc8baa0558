"""What a client asks about messages that a shard keeps: where one is, and what waits for an agent."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Envelope, Id, UuidBytes
from caxton.acl.message import Message
from caxton.errors.travel import MAX_ITEMS

MAX_PAGE = 500
# A page ends before it holds more content than this: its frame stays within the 16 MiB that a socket takes.
FULL_PAGE_BYTES = 4 << 20
NOBODY = bytes(16)
# How a cursor begins, before a message id or a place in the file.
IN_MEMORY, ON_DISK = "m", "d"


class FindMessage(msgspec.Struct, array_like=True, tag=35, frozen=True):
    """Ask whether this shard keeps a message. Answered with `KeptMessages` of none or one."""

    message_id: UuidBytes
    with_content: bool = False


class ListKept(msgspec.Struct, array_like=True, tag=36, frozen=True):
    """List what waits for an agent; with content only if asked.

    What is in memory comes first, in the order of message ids, behind `after`. Then comes what is on disk, as it stands
    there; of this alone, behind a place, if there is a `place`.
    """

    agent_id: Id
    after: UuidBytes = NOBODY
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE
    with_content: bool = False
    place: Id | None = None


class KeptMessage(msgspec.Struct, array_like=True, frozen=True):
    """A message that a shard keeps.

    state: "waiting" in its receiver's mailbox; "retrying", for its next attempt or behind one of its sender; "given" to
    the program that runs an attached agent; "under_way" to another shard or to a client; "dead", and `dead_letter` is
    its name. attempts: turns that failed, and retry_reasons why each did, as in `caxton.delivery.retry_reason`.
    content_bytes: its size; the message's content is empty unless it was asked for. place: where it stands in the file,
    if it is only there.
    """

    envelope: Envelope
    shard: int
    state: str
    content_bytes: int
    attempts: int = 0
    retry_reasons: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()
    dead_letter: str | None = None
    place: int | None = None

    @property
    def message(self) -> Message:
        """What is kept."""
        return Message.of(self.envelope)

    @property
    def cursor(self) -> str:
        """By which a list goes on behind it."""
        memory = f"{IN_MEMORY}{self.envelope.message_id.hex()}"
        return memory if self.place is None else f"{ON_DISK}{self.place}"


class KeptMessages(msgspec.Struct, array_like=True, tag=41, frozen=True):
    """A page of messages."""

    messages: list[KeptMessage]
    more: bool = False
