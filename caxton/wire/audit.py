"""The audit: what was done, for whom, to what; chains in which each row has the hash of the one before.

Each shard has a chain, and the supervisor five. Pure: rows are linked here, and read and written elsewhere.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

import msgspec

from caxton.acl.envelope import Id

# Rows in an answer.
MAX_AUDIT_PAGE = 500
# Rows that the file of a shard keeps, those of files before it included; the oldest make room.
MOST_ROWS = 100_000
MAX_FILTER = 300
# What a gateway tells in one go.
MAX_NOTES = 400
# The principals of what the runtime does by itself, and of whoever has no token: nobody else acts for these.
RUNTIME, ADDRESS = "runtime", "address:"
# The action of the row that says that a file's account of a chain was not what was written.
MENDED = "audit_mended"
HASH_BYTES = 32
KIND_BITS = 3
_encode = msgspec.msgpack.Encoder().encode


class Kind(IntEnum):
    """The supervisor's chains, each with room of its own, so that nobody's rows push out those of others.

    OPERATIONS: what somebody had done. INCIDENTS: what happened to processes. ACCESS: of those who have a token, when
    they signed in, and what was denied. STRANGERS: what was denied to those who have none. ANCHORS: the heads of all
    other chains, now and then.
    """

    OPERATIONS = 0
    INCIDENTS = 1
    ACCESS = 2
    STRANGERS = 3
    ANCHORS = 4


# Rows that each of the supervisor's chains keeps: the oldest make room for others of the same chain, and of no other.
ROOM = {
    Kind.OPERATIONS: 100_000,
    Kind.INCIDENTS: 10_000,
    Kind.ACCESS: 10_000,
    Kind.STRANGERS: 10_000,
    Kind.ANCHORS: 20_000,
}


def chain_of(file: int, kind: Kind) -> int:
    """Return the name of one of the chains of the supervisor's file with this id."""
    return file << KIND_BITS | kind


def is_of(chain: int, kind: Kind) -> bool:
    """Tell whether a chain of the supervisor's is of this kind."""
    return chain & ((1 << KIND_BITS) - 1) == kind


class Entry(NamedTuple):
    """Something that was done. at: ms since 1970. principal: for whom, "" for the runtime's owner."""

    at: int
    action: str
    principal: str
    subject: str
    outcome: str = "done"


class AuditRow(msgspec.Struct, array_like=True, frozen=True):
    """An entry in its chain. chain: the id of the file that it was written to. number: in the chain, from 1 on.

    at: ms since 1970. principal: "" for the runtime's owner, "runtime" for what it does by itself, "address:" and where
    from for who has no token. subject: an agent's name, or what else it was done to.
    previous: the hash of the row before, nothing in the first one.
    """

    chain: Id
    number: Id
    at: Id
    action: str
    principal: str
    subject: str
    outcome: str
    previous: bytes
    hash: bytes


class AuditHead(msgspec.Struct, array_like=True, frozen=True):
    """A chain by its file's own account: the numbers of the first row that is kept and of the last, and its hash."""

    chain: Id
    first: Id
    last: Id
    hash: bytes


class AnchoredHead(AuditHead, array_like=True, frozen=True):
    """The head of the anchors, which speaks for all rows of before it was asked for, except the last ones of shards.

    away: those shards, which did not answer, by their numbers: their chains are anchored as they were last known.
    """

    away: list[int] = []


Action = Literal["deny", "sign_in", "sign_out"]
Filter = Annotated[str, msgspec.Meta(max_length=MAX_FILTER)]


class ReadAudit(msgspec.Struct, array_like=True, tag=86, frozen=True):
    """Ask a shard, or the supervisor, for rows behind the place `after`, in the order in which they were written.

    backwards: those before it, the last one first; then 0 is the end. principal, subject, action: only those of this
    one. since: only those of this moment, in ms since 1970, or later.
    """

    after: Id = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_AUDIT_PAGE)] = MAX_AUDIT_PAGE
    backwards: bool = False
    principal: Filter | None = None
    subject: Filter | None = None
    action: Filter | None = None
    since: Id = 0


class AuditPage(msgspec.Struct, array_like=True, tag=87, frozen=True):
    """Rows, and all heads, as they were at one moment. after: the place behind which the next page begins.

    A page may have fewer rows than were asked for, or none, and more may follow. places: of each row. unreadable:
    places of what is no row.
    """

    rows: Annotated[list[AuditRow], msgspec.Meta(max_length=MAX_AUDIT_PAGE)]
    heads: list[AuditHead]
    after: Id
    more: bool = False
    places: Annotated[list[Id], msgspec.Meta(max_length=MAX_AUDIT_PAGE)] = []
    unreadable: Annotated[list[Id], msgspec.Meta(max_length=MAX_AUDIT_PAGE)] = []


class AnchorAudit(msgspec.Struct, array_like=True, tag=88, frozen=True):
    """Have the supervisor write down the heads of all chains now, if there are others than before."""


class AuditAnchored(msgspec.Struct, array_like=True, tag=89, frozen=True):
    """The head of the anchors, as of now: the hash in it speaks for every row of every chain.

    away: shards that did not say how far theirs goes now, and whose chains are anchored as they were last known.
    """

    head: AuditHead
    away: list[int] = []


class AccessNote(msgspec.Struct, array_like=True, frozen=True):
    """What a gateway tells of somebody who came: of a token, or of an address from where somebody had none.

    at: ms since 1970. subject: what was asked for. outcome: what became of it, and how often.
    """

    at: Id
    action: Action
    principal: Annotated[str, msgspec.Meta(max_length=MAX_FILTER, pattern="^(token|address):")]
    subject: Filter
    outcome: Filter


class NoteAccess(msgspec.Struct, array_like=True, tag=92, frozen=True):
    """Have these stand in the audit. Answered at once: they are written soon."""

    notes: Annotated[list[AccessNote], msgspec.Meta(max_length=MAX_NOTES)]


class NoteBackup(msgspec.Struct, array_like=True, tag=93, frozen=True):
    """A backup is taken into a directory: have that stand in the audit and, where it begins, copy the audit into it."""

    directory: Annotated[str, msgspec.Meta(max_length=4_096)]
    outcome: Literal["begun", "done", "failed"]


AuditRequest = ReadAudit | AnchorAudit | NoteAccess | NoteBackup


def fits(row: AuditRow, asked: ReadAudit) -> bool:
    """Tell whether a row is one of those that are asked for."""
    return (
        row.at >= asked.since
        and asked.principal in {None, row.principal}
        and asked.subject in {None, row.subject}
        and asked.action in {None, row.action}
    )


def linked(entry: Entry, chain: int, number: int, previous: bytes) -> AuditRow:
    """Return the row that an entry is behind the one with the hash `previous`."""
    row = AuditRow(chain, number, *entry, previous, b"")
    return msgspec.structs.replace(row, hash=hash_of(row))


def hash_of(row: AuditRow) -> bytes:
    """Return the hash that a row has to have."""
    told = row.chain, row.number, row.at, row.action, row.principal, row.subject, row.outcome, row.previous
    return sha256(_encode(told)).digest()
