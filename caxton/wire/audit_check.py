"""Looks an audit through: whether each chain is what was written, and what the supervisor's anchors say of it. Pure."""

import re
from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from caxton.printable import counted
from caxton.wire.anchors import ANCHOR, anchors_in
from caxton.wire.audit import (
    HASH_BYTES,
    KIND_BITS,
    MOST_ROWS,
    ROOM,
    AuditHead,
    AuditPage,
    AuditRow,
    Kind,
    ReadAudit,
    chain_of,
    hash_of,
    is_of,
)

# Yields which file is to be asked for what, is sent its page, and returns what is wrong.
Looking: TypeAlias = Generator[tuple[int, ReadAudit], AuditPage, list[str]]
_HEAD = re.compile(r"([1-9][0-9]{0,18}):([0-9a-fA-F]{64})", re.ASCII)


class KeptHead(NamedTuple):
    """The head of the anchors, as somebody has kept it elsewhere."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def read(cls, text: str) -> "KeptHead":
        """Return what NUMBER:HASH says; raises ValueError."""
        found = _HEAD.fullmatch(text.strip())
        if found is None:
            raise ValueError("it is not NUMBER:HASH, the number of a row and 64 hex digits")
        return cls(int(found[1]), bytes.fromhex(found[2]))


class Anchored:
    """What all anchors say of a chain, in the order of its numbers: forty bytes for each.

    first: the lowest number that was ever its first. fault: what anchors themselves say that cannot be.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.fault: str | None = None
        self._numbers = array("Q")
        self._hashes = bytearray()

    @property
    def last(self) -> int:
        """The highest number that was ever its last."""
        return self._numbers[-1]

    def add(self, head: AuditHead) -> None:
        """Take what the next anchor says."""
        self.first = min(self.first, head.first)
        if not self._numbers or head.last > self.last:
            self._numbers.append(head.last)
            self._hashes += head.hash
        elif head.last < self.last:
            self.fault = self.fault or f"row {head.last + 1} was gone once: anchors have row {self.last} before it"
        elif head.hash != self._hash(len(self._numbers) - 1):
            self.fault = self.fault or f"rows were written anew: anchors have two hashes of row {head.last}"

    def hash_at(self, place: int, number: int) -> tuple[int, bytes | None]:
        """Return the hash of a row, None where no anchor has it, and from which place on to look for the next one.

        place: what was returned for the row before, 0 at first.
        """
        while place < len(self._numbers) and self._numbers[place] < number:
            place += 1
        found = place < len(self._numbers) and self._numbers[place] == number
        return place, self._hash(place) if found else None

    def _hash(self, place: int) -> bytes:
        return bytes(self._hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES])


@dataclass
class _Chain:
    """A chain so far. number: of the row that has to come. has_head: whether its file knew of it when it began.

    fault: where it is broken first. good: the last row that an anchor says the same of. place: among its anchors.
    """

    number: int
    previous: bytes | None
    has_head: bool
    fault: str | None = None
    good: int = 0
    place: int = 0


class FileCheck:
    """Takes the pages of one file, all of them, in their order.

    anchored: what anchors say of chains. most_rows: that the file keeps before any row makes room; None where each of
    its chains has room of its own.
    """

    def __init__(self, anchored: dict[int, Anchored], most_rows: int | None = MOST_ROWS) -> None:
        self.anchored = anchored
        self._most_rows = most_rows
        self._rows = 0
        # What is no row: how much, and the place of the first.
        self._unreadable, self._first_unreadable = 0, 0
        self.chains: dict[int, _Chain] = {}
        self.heads: dict[int, AuditHead] = {}

    @property
    def is_full(self) -> bool:
        """Whether rows may have made room for others."""
        return self._most_rows is None or self._rows >= self._most_rows

    def take(self, page: AuditPage) -> None:
        """Take the next page."""
        self.heads = {head.chain: head for head in page.heads}
        if page.unreadable:
            self._first_unreadable = self._first_unreadable or page.unreadable[0]
            self._unreadable += len(page.unreadable)
        for row in page.rows:
            self._rows += 1
            chain = self.chains.get(row.chain) or self._begun(row)
            if chain.fault is None:
                chain.fault = self._follow(chain, row)

    def faults(self) -> list[str]:
        """Return where chains are broken, after the last page: each at its first place."""
        for name, head in self.heads.items():
            chain = self.chains.setdefault(name, _begun(head))
            chain.fault = chain.fault or _end(chain, head) or self._cut(name, head)
        for name, chain in self.chains.items():
            if name not in self.heads and not chain.has_head:  # else it made room while it was read
                chain.fault = "its head is gone"
        found = [f"chain {name:016x}: {chain.fault}" for name, chain in self.chains.items() if chain.fault is not None]
        if self._unreadable:
            found.append(f"{counted(self._unreadable, 'rows')} cannot be read, from place {self._first_unreadable} on")
        return found

    def follows(self, chain: _Chain, row: AuditRow) -> str | None:
        """Return what else is wrong with a row that follows the one before it."""
        anchored = self.anchored.get(row.chain)
        if anchored is None:
            return None
        chain.place, seen = anchored.hash_at(chain.place, row.number)
        if seen is None:
            return None
        if seen != row.hash:
            since = chain.good + 1
            return f"rows were written anew, of {since} to {row.number}: the last has another hash in an anchor"
        chain.good = row.number
        return None

    def _begun(self, row: AuditRow) -> _Chain:
        head = self.heads.get(row.chain)
        chain = _Chain(row.number, None, has_head=False) if head is None else _begun(head)
        self.chains[row.chain] = chain
        return chain

    def _follow(self, chain: _Chain, row: AuditRow) -> str | None:
        head = self.heads.get(row.chain)
        if row.number > chain.number and head is not None and head.first == row.number:
            chain.number, chain.previous = row.number, None  # those before it made room while they were read
        if row.number != chain.number:
            return f"row {chain.number} is gone" if row.number > chain.number else f"row {row.number} was put in"
        if hash_of(row) != row.hash:
            return f"row {row.number} was changed"
        if chain.previous is not None and row.previous != chain.previous:
            return f"row {row.number} does not follow the one before it"
        chain.number, chain.previous = row.number + 1, row.hash
        return self.follows(chain, row)

    def _cut(self, name: int, head: AuditHead) -> str | None:
        """Return what an anchor says that is not there any more."""
        anchored = self.anchored.get(name)
        if anchored is None:
            return None
        if anchored.last > head.last:
            return f"row {head.last + 1} is gone: an anchor has the hash of row {anchored.last}"
        if anchored.first < head.first and not self.is_full:
            return f"row {anchored.first} is gone: there was room for it"
        return anchored.fault


class SupervisorCheck(FileCheck):
    """Takes the pages of the supervisor's file, which has every chain of `Kind`, and learns what its anchors say.

    kept: what the head of the anchors was once, as somebody has kept it elsewhere. room: rows that each chain keeps
    before any makes room.
    """

    def __init__(self, kept: KeptHead | None = None, room: Mapping[Kind, int] = ROOM) -> None:
        super().__init__({}, None)
        self._kept = kept
        self._room = room
        self._kept_hash: bytes | None = None

    def faults(self) -> list[str]:
        """Return where chains are broken, those that are missing, and whether what was kept is there."""
        found = super().faults()
        there = {*self.heads, *self.chains}
        files = {name >> KIND_BITS for name in there}
        missing = sorted({chain_of(file, kind) for file in files for kind in Kind} - there)
        found += [f"chain {name:016x}: it is gone" for name in missing]
        if len(files) != 1:
            found.append("it has chains of several files" if files else "its chains are gone")
        return [*found, *self._against_kept()]

    def follows(self, chain: _Chain, row: AuditRow) -> str | None:  # noqa: ARG002 (as of any file)
        """Take what an anchor says, and compare it with the other chains of this file, which are as it says now."""
        if not is_of(row.chain, Kind.ANCHORS):
            return None
        if self._kept is not None and row.number == self._kept.number:
            self._kept_hash = row.hash
        if row.action != ANCHOR:
            return None
        try:
            heads = anchors_in(row.outcome)
        except ValueError:
            return f"row {row.number} is no anchor"
        for head in heads:
            if head.chain >> KIND_BITS == row.chain >> KIND_BITS:
                self._compare(head)
            else:
                self.anchored.setdefault(head.chain, Anchored(head.first)).add(head)
        return None

    def _compare(self, head: AuditHead) -> None:
        """Compare what an anchor says with the chain so far: its rows of before stand before it in the file."""
        now = self.heads.get(head.chain)
        if now is None or now.first > head.last:  # it is gone; or all of those rows are, which `_cut` looks at
            return
        own = self.chains.setdefault(head.chain, _begun(now))
        if own.fault is None and (own.number - 1, own.previous) != (head.last, head.hash):
            own.fault = f"row {min(own.number, head.last)} is not what was anchored, or is gone"

    def _cut(self, name: int, head: AuditHead) -> str | None:
        """Return what is gone from a chain's beginning, and has made room for nothing: it is kept full from then on."""
        if head.first > 1 and not self._may_begin_later(head):
            return f"row {head.first - 1} is gone: there was room for it"
        return super()._cut(name, head)

    def _may_begin_later(self, head: AuditHead) -> bool:
        room = next((rows for kind, rows in self._room.items() if is_of(head.chain, kind)), 0)
        return head.last - head.first + 1 >= room

    def _against_kept(self) -> Iterator[str]:
        anchors = [head for head in self.heads.values() if is_of(head.chain, Kind.ANCHORS)]
        if self._kept is None or self._kept_hash == self._kept.hash:
            return
        number = self._kept.number
        if self._kept_hash is not None:
            yield f"anchors were written anew: row {number} has another hash than the head that was kept"
        elif any(number < head.first and self._may_begin_later(head) for head in anchors):
            yield f"row {number} of the anchors, whose hash was kept, has made room for others: keep a later head"
        else:
            yield f"row {number} of the anchors is gone, whose hash was kept"


def looking_through(shards: int, kept: KeptHead | None = None) -> Looking:
    """Look an audit through, whoever asks for its pages. kept: what the head of its anchors was once.

    Files are the shards by their numbers, and after these the supervisor, which is asked first: it has the anchors.
    """
    supervisor = SupervisorCheck(kept)
    found = [f"supervisor, {fault}" for fault in (yield from _looking_through(shards, supervisor))]
    checks = [FileCheck(supervisor.anchored) for _ in range(shards)]
    for shard, check in enumerate(checks):
        found += [f"shard {shard}, {fault}" for fault in (yield from _looking_through(shard, check))]
    return [*found, *gone(supervisor.anchored, checks)]


def _looking_through(file: int, check: FileCheck) -> Looking:
    after, more = 0, True
    while more:
        page = yield file, ReadAudit(after)
        check.take(page)
        after, more = page.after, page.more
    return check.faults()


def gone(anchored: dict[int, Anchored], shards: Iterable[FileCheck]) -> list[str]:
    """Return which chains are anchored, and in no shard's file any more, though none has made room for others."""
    checks = [*shards]
    if any(check.is_full for check in checks):
        return []
    there = {name for check in checks for name in (*check.heads, *check.chains)}
    return [
        f"chain {name:016x}: it is gone, of which an anchor has the hash of row {one.last}"
        for name, one in sorted(anchored.items())
        if name not in there
    ]


def faults(rows: Iterable[AuditRow], heads: Iterable[AuditHead]) -> list[str]:
    """Return where the chains of a file are broken: rows that were changed, are gone, or were put in.

    rows: all that there are, those of each chain in the order of their numbers.
    """
    check = FileCheck({})
    check.take(AuditPage([*rows], [*heads], 0))
    return check.faults()


def _begun(head: AuditHead) -> _Chain:
    return _Chain(head.first, b"" if head.first == 1 else None, has_head=True)


def _end(chain: _Chain, head: AuditHead) -> str | None:
    if chain.number != head.last + 1:
        return f"row {chain.number} is gone" if chain.number <= head.last else f"row {head.last + 1} was put in"
    if chain.previous is not None and chain.previous != head.hash:
        return f"row {head.last} is not the last one that was written"
    return None
