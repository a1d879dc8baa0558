"""What a protocol says of a conversation: the seam between the conversations of a shard and the machines of FIPA."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from caxton.acl.envelope import Cause, Envelope
from caxton.acl.performative import Performative
from caxton.conversations.exchange import Kept
from caxton.conversations.lines import Line
from caxton.conversations.record import Record
from caxton.errors import AnswerOverdue, CaxtonError, SessionNotFound


class Overdue(NamedTuple):
    """An agent of this shard waited for the other's word as long as it was to: it is told so, as by the other.

    about: the id of what was not answered. performative, protocol: of a failure, or of the cancel of an initiator that
    is gone. cause: of what was said last between the two.
    """

    record: Record
    agent: int
    other: int
    about: bytes
    error: AnswerOverdue | SessionNotFound
    performative: Performative = Performative.FAILURE
    protocol: str | None = None
    cause: Cause | None = None


class Rules(Protocol):
    """Asked about each message of a conversation that is `watched`, before it is counted.

    Where a protocol stands is kept in `Record.lines`. now_ms: on the served time, on which all that a record keeps is;
    wall_ms: the same moment since 1970. overdue: who is to be told of a deadline, by somebody who can send. changed: is
    told of an agent that is in one active conversation more, or less (1, -1). has_left: whether a client is gone.
    """

    overdue: list[Overdue]
    changed: Callable[[int, int], None]
    has_left: Callable[[int], bool]

    def known(self, protocol: str) -> bool:
        """Whether this is a protocol whose messages are to be looked at; raises UnknownProtocol."""

    def unknown(self, message: Envelope) -> CaxtonError | None:
        """Return why a message in no conversation is refused for the protocol that it names, if it is."""

    def placing(self, record: Record, message: Envelope, now_ms: int, wall_ms: int) -> CaxtonError | None:
        """Return why an agent of this shard is not given a message, or None and remember that it was."""

    def sending(self, record: Record, message: Envelope, now_ms: int, wall_ms: int) -> CaxtonError | None:
        """Return why an agent of this shard does not send a message, or None and remember that it did."""

    def lets_in(self, record: Record, message: Envelope) -> bool:
        """Whether a message of somebody who takes no part lets its sender in."""

    def told(self, record: Record, message: Envelope, now_ms: int) -> None:
        """An agent of this shard is told by the runtime what became of a message."""

    def failed(self, record: Record, message: Envelope, now_ms: int) -> None:
        """Nothing came of a message that an agent of this shard was given, or that one sent."""

    def left(self, client: int) -> None:
        """A client is gone: see to the lines of the conversations that it opened."""

    def cancelled(self, record: Record, line: Line, cancel: bytes) -> None:
        """A participant is told that its initiator is gone, by a cancel of this id: it may answer that."""

    def restore(self, record: Record) -> None:
        """The file held a conversation: see to its deadlines again."""

    def grown(self, record: Record) -> None:
        """An exchange has become a record: see to its deadlines as one."""

    def look_at(self, kept: Kept, at_ms: int) -> None:
        """Have `due` return a conversation by then, if it has lines."""

    def due(self, live: Mapping[bytes, Kept], opened_by: Callable[[int], list[Kept]], now_ms: int) -> list[Kept]:
        """Return conversations of which something may be over now.

        opened_by: returns those of one initiator.
        """

    def expire(self, record: Record, now_ms: int) -> bool:
        """Let what is over lapse, and return whether the conversation has come to its end."""
