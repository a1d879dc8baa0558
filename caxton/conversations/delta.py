"""What a commit adds to conversations, as the file keeps it: records of one row, each of one conversation.

A reader goes through the rows in order. A record that is `whole` takes the place of all that came before it.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from caxton.acl.envelope import AUTOMATIC, Cause, Envelope, Id, Opening, Text, UuidBytes
from caxton.conversations.exchange import GOES_ON, MOST_EXCHANGED, Exchange, Kept, size_of
from caxton.conversations.lines import Lines
from caxton.conversations.record import FIRST_PLACES, Record
from caxton.conversations.state import State
from caxton.conversations.summary import Remembered, Summary


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """All of a conversation but its messages. due_ms: on the served time. parties: by id, whether each has spoken.

    positions: where its lines stand: agent, other party, and that.
    """

    initiator: Id
    opened_ms: Id
    due_ms: Id
    timeout_s: Id
    limits: Opening
    parties: dict[Id, bool]
    state: Annotated[int, msgspec.Meta(ge=0, le=4)]
    detail: Text
    resumed: Id
    begun_here: bool
    protocol: Text | None = None
    positions: list[tuple[Id, Id, bytes]] = []
    stop: tuple[Text, Id] | None = None
    turns_before: Id = 0
    size_before: Id = 0
    cause: Cause | None = None


class Delta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What became of one conversation: messages, size and turns are added to what there was.

    last_ms: of its last message. said: its last messages, or all that came. head: where that is other than before, and
    in what is whole. initiator: whose it is, where no head says so; 0 was written when an id had one conversation.
    """

    conversation_id: UuidBytes
    messages: Id
    size: Id
    last_ms: Id
    said: list[Summary]
    head: Head | None = None
    whole: bool = False
    turns: Id = 0
    initiator: Id = 0


# Messages of a conversation that are copied into another file, at most.
MOST_COPIED = 256
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Delta]).decode


def encode(records: list[Kept], *, whole: bool = False) -> bytes:
    """Return what the file is to know of these, and is not told again. whole: all of each, for a row of its own."""
    return _encode(
        [
            _exchanged(record, whole=whole)
            if type(record) is Exchange
            else _whole(record)  # type: ignore[arg-type] # the only other one
            if whole
            else _delta(record)  # type: ignore[arg-type]
            for record in records
        ]
    )


def decode(raw: bytes) -> list[Delta]:
    """Read what `encode` wrote; raises msgspec.DecodeError."""
    return _decode(raw)


def folded(rows: Iterable[list[Delta]], history: int = MOST_COPIED) -> list[Record]:
    """Return the conversations that the rows of a file tell of, in their order."""
    known = Known(history)
    for deltas in rows:
        for delta in deltas:
            known.take(delta)
    return known.records


class Known:
    """The conversations that a file tells of, as far as it was read. One is that of who opened it, under its id."""

    def __init__(self, history: int) -> None:
        self._history = history
        self._records: dict[tuple[bytes, int], Record] = {}
        # By id, who opened the one that was told of last.
        self._last: dict[bytes, int] = {}

    @property
    def records(self) -> list[Record]:
        """All of them, in the order of the file."""
        return list(self._records.values())

    def take(self, delta: Delta) -> tuple[Record | None, bool]:
        """Add a delta: returns the conversation, None where nothing begins it, and whether the delta begins it."""
        initiator = delta.initiator if delta.head is None else delta.head.initiator
        conversation = delta.conversation_id, initiator or self._last.get(delta.conversation_id, 0)
        known = self._records.get(conversation)
        record = apply(delta, known, self._history)
        if record is not None:
            self._records[conversation] = record
            self._last[delta.conversation_id] = record.initiator
        return record, known is None or delta.whole


def encode_copy(record: Record, *, counts: bool) -> bytes:
    """Return all of a conversation for another file, which may know some of it: what is counted is added to that.

    counts: whether its messages are told too; they are counted in one file only.
    """
    said = [_said(one) for one in record.recent] if counts else []
    messages, size, turns = (record.messages, record.size, record.turns) if counts else (0, 0, 0)
    head = _head(record, begun_here=None if counts else False)
    return _encode([(record.conversation_id, messages, size, record.last_ms, said, head, False, turns)])


def apply(delta: Delta, record: Record | None, history: int) -> Record | None:
    """Return the record with a delta added, or the one that begins with it; None for one that nothing begins.

    history: how many messages a record remembers.
    """
    head = delta.head
    if delta.whole or record is None:
        if head is None:
            return None
        record = Record(delta.conversation_id, head.initiator, head.opened_ms, head.timeout_s, head.limits, history)
    if head is not None:
        _take_head(record, head)
    record.messages += delta.messages
    record.size += delta.size
    record.turns += delta.turns
    record.last_ms = max(record.last_ms, delta.last_ms)
    record.recent += delta.said
    del record.recent[: max(0, len(record.recent) - history)]
    record.places = max(FIRST_PLACES, len(record.recent))
    _all_saved(record)
    return record


def _take_head(record: Record, head: Head) -> None:
    for party, has_spoken in head.parties.items():
        record.parties[party] = has_spoken or record.parties.get(party, False)
    record.due_ms = max(head.due_ms, record.due_ms)
    if (head.resumed, head.state) >= (record.resumed, record.state):
        record.state, record.detail = State(head.state), head.detail
    record.resumed = max(head.resumed, record.resumed)
    record.begun_here = head.begun_here or record.begun_here
    record.protocol = head.protocol
    record.stop = head.stop
    if head.positions:
        record.lines = record.lines or Lines()
        record.lines.restore(head.positions)
    record.turns_before, record.size_before = head.turns_before, head.size_before
    record.cause = head.cause or record.cause
    record.watched = record.is_limited or record.state.is_end or record.protocol is not None


def _delta(record: Record) -> tuple[object, ...]:
    """Return a delta as the encoder takes it: tuples are made in half the time of structs."""
    head = _head(record) if record.changed or not record.base else None
    messages, size = record.messages - record.saved_messages, record.size - record.saved_size
    turns = record.turns - record.saved_turns
    said = [_said(one) for one in record.unsaved or ()]
    _all_saved(record)
    return (
        record.conversation_id,
        messages,
        size,
        record.last_ms,
        said,
        head,
        False,
        turns,
        record.initiator if head is None else 0,
    )


def _exchanged(exchange: Exchange, *, whole: bool) -> tuple[object, ...]:
    """Return a delta of a conversation that has only begun: what its head leaves out is as in every new one."""
    recent, saved, initiator = exchange.recent, 0 if whole else exchange.saved, exchange.initiator
    said, size, answered_at = [], 0, MOST_EXCHANGED
    head: tuple[object, ...] | None = None
    for place, one in enumerate(recent):
        if one.sender != initiator:
            answered_at = min(answered_at, place)
        if place >= saved:
            said.append(_said(one))
            size += size_of(one)
    is_answered, is_over = answered_at < MOST_EXCHANGED, exchange.ended_ms != GOES_ON
    if not saved or saved <= answered_at < MOST_EXCHANGED or is_over or exchange.is_changed:
        opened = exchange.opened
        parties = {exchange.other: is_answered, initiator: True}
        times = opened.wall_ms, opened.due_ms, opened.timeout_s
        head = (initiator, *times, (), parties, int(exchange.state), exchange.detail, 0, True)
        if (lines := exchange.lines) is not None:
            head = *head, exchange.protocol, lines.to_store()
    turns = exchange.turns(saved)
    exchange.saved, exchange.is_changed = len(recent), False
    whose = initiator if head is None else 0
    return exchange.conversation_id, len(said), size, exchange.last_ms, said, head, whole, turns, whose


def _whole(record: Record) -> tuple[object, ...]:
    said = [_said(one) for one in record.recent[-record.history :]] if record.history else []
    _all_saved(record)
    counts = record.messages, record.size, record.last_ms
    return record.conversation_id, *counts, said, _head(record), True, record.turns


def _all_saved(record: Record) -> None:
    record.saved_messages, record.saved_size, record.saved_turns = record.messages, record.size, record.turns
    record.unsaved = None
    record.changed = False


def _head(record: Record, *, begun_here: bool | None = None) -> tuple[object, ...]:
    """Return a head as the encoder takes it; begun_here: where the other file is to know another thing of that."""
    return (
        record.initiator,
        record.opened_ms,
        record.due_ms,
        record.timeout_s,
        record.limits,
        record.parties,
        int(record.state),
        record.detail,
        record.resumed,
        record.begun_here if begun_here is None else begun_here,
        record.protocol,
        () if record.lines is None else record.lines.to_store(),
        record.stop,
        record.turns_before,
        record.size_before,
        record.cause,
    )


def _said(one: Remembered) -> object:
    if type(one) is Summary:
        return one
    m: Envelope = one  # type: ignore[assignment] # the only other one
    said = m.message_id, m.performative, m.sender, m.receiver, m.created_at, len(m.content), m.in_reply_to
    return (*said, None, True) if m.flags & AUTOMATIC else said
