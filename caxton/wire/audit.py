"""The audit of a shard: what was done, for whom, to what; a chain in which each row has the hash of the one before.

Pure: rows are linked and looked through here, and read and written elsewhere.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated, NamedTuple

import msgspec

from caxton.acl.envelope import Id

# Rows in an answer.
MAX_AUDIT_PAGE = 500
HASH_BYTES = 32
_encode = msgspec.msgpack.Encoder().encode


class Entry(NamedTuple):
    """Something that was done. at: ms since 1970. principal: for whom, "" for the runtime's owner."""

    at: int
    action: str
    principal: str
    subject: str
    outcome: str = "done"


class AuditRow(msgspec.Struct, array_like=True, frozen=True):
    """An entry in its chain. chain: the id of the file that it was written to. number: in the chain, from 1 on.

    at: ms since 1970. principal: "" for the runtime's owner. subject: an agent's name, or what else it was done to.
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


class ReadAudit(msgspec.Struct, array_like=True, tag=86, frozen=True):
    """Ask for the rows of a shard behind the place `after`, in the order in which they were written."""

    after: Id = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_AUDIT_PAGE)] = MAX_AUDIT_PAGE


class AuditPage(msgspec.Struct, array_like=True, tag=87, frozen=True):
    """Rows, and all heads, as they were at one moment. after: the place behind which the next page begins."""

    rows: Annotated[list[AuditRow], msgspec.Meta(max_length=MAX_AUDIT_PAGE)]
    heads: list[AuditHead]
    after: Id
    more: bool = False


def linked(entry: Entry, chain: int, number: int, previous: bytes) -> AuditRow:
    """Return the row that an entry is behind the one with the hash `previous`."""
    row = AuditRow(chain, number, *entry, previous, b"")
    return msgspec.structs.replace(row, hash=hash_of(row))


def hash_of(row: AuditRow) -> bytes:
    """Return the hash that a row has to have."""
    told = row.chain, row.number, row.at, row.action, row.principal, row.subject, row.outcome, row.previous
    return sha256(_encode(told)).digest()


def faults(rows: Iterable[AuditRow], heads: Iterable[AuditHead]) -> Iterator[str]:
    """Yield where chains are broken: rows that were changed, are gone, or were put in; at the first of each chain.

    rows: all that there are, those of each chain in the order of their numbers.
    """
    by_chain: dict[int, list[AuditRow]] = {head.chain: [] for head in heads}
    known = {head.chain: head for head in heads}
    for row in rows:
        by_chain.setdefault(row.chain, []).append(row)
    for chain, own in by_chain.items():
        fault = _fault_of(own, known.get(chain))
        if fault is not None:
            yield f"chain {chain:016x}: {fault}"


def _fault_of(rows: list[AuditRow], head: AuditHead | None) -> str | None:
    if head is None:
        return "its head is gone"
    number, previous = head.first, b"" if head.first == 1 else None
    for row in rows:
        if row.number != number:
            return f"row {number} is gone" if row.number > number else f"row {row.number} was put in"
        if hash_of(row) != row.hash:
            return f"row {number} was changed"
        if previous is not None and row.previous != previous:
            return f"row {number} does not follow the one before it"
        number, previous = number + 1, row.hash
    if number != head.last + 1:
        return f"row {number} is gone" if number <= head.last else f"row {head.last + 1} was put in"
    return None if previous == head.hash else f"row {head.last} is not the last one that was written"
