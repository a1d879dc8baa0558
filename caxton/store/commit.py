"""What one transaction of a shard writes: gathered by passes, applied all at once, or not at all.

Every key is an integer that this shard or a peer's link gave; whatever others chose (ids, names, content) is a blob, or
a bounded number. So no statement of a commit can fail on data.
"""

from collections import Counter
from typing import NamedTuple

from caxton.agents.manifest import Manifest
from caxton.wire.audit import Entry
from caxton.wire.calls import Failed


class SourceRow(NamedTuple):
    """The last sequence taken from a source's file, and its refusals that the source has not confirmed (or none)."""

    taken: int
    refusals: bytes | None


class TargetRow(NamedTuple):
    """A way out. file: the target's store, 0 while unknown. emitted, acknowledged: last sequences of its space."""

    file: int
    emitted: int
    acknowledged: int


class OutboxRow(NamedTuple):
    """One frame's messages, encoded as they go on the wire, that its target has not acknowledged."""

    number: int
    target: int
    first: int
    last: int
    messages: bytes


class UnfinishedRow(NamedTuple):
    """Messages that were taken and not finished, as `caxton.store.waiting` encodes them; `size` of them."""

    number: int
    size: int
    messages: bytes


class QueueRow(NamedTuple):
    """One message that lingers: it waits for its retry, or for its agent. Blob as above, of one message.

    from_row, from_place: where it stood in an unfinished row before (0, 0: it never did). Messages are recovered in the
    order in which they were taken, by this, whatever the numbers of their own rows.
    """

    number: int
    agent_id: int
    level: int
    attempts: int
    next_retry_ms: int | None
    created_ms: int
    message: bytes
    from_row: int = 0
    from_place: int = 0


class DeadRow(NamedTuple):
    """A dead letter. message: the envelope, encoded. sender, receiver: u64. The rest is as in the wire's view."""

    number: int
    reason: str
    error: Failed
    attempts: int
    died_ms: int
    sender: int
    receiver: int
    content_bytes: int
    message: bytes
    requeued_from: int | None
    retry_reasons: tuple[str, ...] = ()


class KeyRow(NamedTuple):
    """An idempotency key in use. expires_ms: on the served time. answer: its encoded envelope, once there is one."""

    receiver: int
    key: bytes
    expires_ms: int
    answer: bytes | None


class AbsenceRow(NamedTuple):
    """How long an agent could not have messages, and since when it cannot now, or -1; in ms of the served time."""

    away_ms: int
    since_ms: int


class ConversationRow(NamedTuple):
    """What a commit adds to conversations, as `caxton.conversations.delta` encodes it; `size` of them."""

    number: int
    size: int
    records: bytes


class Commit:
    """Gathered by one loop, then given away: whoever applies it owns it.

    sources, by file; targets, by target (a shard's number, or a session's): rows to write. ended: sessions whose rows
    go. outbox: rows to add; settled: numbers of outbox rows to delete. unfinished: rows to add. done: by unfinished
    row, its marks (message n: bit n % 8 of byte n // 8; and how many are set), or None when all are done and the row
    goes. queued: rows to add or replace; dequeued: numbers to delete. dead: dead letters to add, by number; buried:
    numbers of letters of before to delete. states: by agent, None to forget. charges: deaths by root (source,
    sequence), 0 to forget. keys: rows to add or replace; keys_gone: (receiver, key), of before. absences: by agent,
    None to forget. offered: by agent, the manifest that says what it can do now, and when that was. conversations: rows
    to add; conversations_gone: numbers to delete. audit: what somebody had done by it. counts: added to the shard's
    ledger. next_number: the first number that was never used. tried: whoever applies it is done, and is about to say
    how that went.

    A number that is both added and deleted is gone; only a key that is gone may be used anew at once.
    """

    __slots__ = (
        "absences",
        "audit",
        "buried",
        "charges",
        "conversations",
        "conversations_gone",
        "counts",
        "dead",
        "dequeued",
        "done",
        "ended",
        "keys",
        "keys_gone",
        "next_number",
        "offered",
        "outbox",
        "queued",
        "settled",
        "sources",
        "states",
        "targets",
        "tried",
        "unfinished",
    )

    def __init__(self) -> None:
        self.sources: dict[int, SourceRow] = {}
        self.targets: dict[int, TargetRow] = {}
        self.ended: set[int] = set()
        self.outbox: list[OutboxRow] = []
        self.settled: list[int] = []
        self.unfinished: list[UnfinishedRow] = []
        self.done: dict[int, tuple[bytes, int] | None] = {}
        self.queued: dict[int, QueueRow] = {}
        self.dequeued: list[int] = []
        self.dead: dict[int, DeadRow] = {}
        self.buried: list[int] = []
        self.states: dict[int, bytes | None] = {}
        self.charges: dict[tuple[int, int], int] = {}
        self.keys: dict[tuple[int, bytes], KeyRow] = {}
        self.keys_gone: list[tuple[int, bytes]] = []
        self.absences: dict[int, AbsenceRow | None] = {}
        self.offered: dict[int, tuple[Manifest, int]] = {}
        self.conversations: list[ConversationRow] = []
        self.conversations_gone: list[int] = []
        self.audit: list[Entry] = []
        self.counts: Counter[str] = Counter()
        self.next_number = 0
        self.tried = False
