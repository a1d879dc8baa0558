"""Where everything stands in a book: a file of unsigned 64-bit words, in the machine's order.

    head       16 words   magic, version, check, owner, series, rows there is place for, newest, rows in use; the rest
                          is zero
    table                 6 words for each series: its name (32 bytes of UTF-8, padded with zeros), kind, words
    2 copies              each: seal, sequence, the series in the table's order, rows of 3 words: peer (0: free),
                          emitted, taken

The owner writes commit n into copy n % 2, which holds commit n - 2, and then n into `newest`: one store of eight bytes
that makes the commit visible. So the copy that `newest` names is whole whenever its owner dies, and is written over
only after the other one has become the newest.

The seal says whether a copy is whole, without anything being known of the order in which the stores of another
processor are seen: it is the sum of the copy's words, each times a weight of its place, modulo a prime. Of two commits
that were mixed it is wrong, except with a chance of 1 in 2**64. A commit changes it by what it changes itself.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from operator import mul
from struct import Struct
from typing import NamedTuple, Self
from zlib import crc32

from caxton.links.ledger import BookView, Totals

WORD = 8
MAGIC = int.from_bytes(b"caxbook\n", "little")
VERSION = 2
AT_MAGIC, AT_VERSION, AT_CHECK, AT_OWNER, AT_SERIES, AT_CAPACITY, AT_NEWEST, AT_ROWS = range(8)
HEAD_WORDS = 16

MAX_SERIES = 256
NAME_BYTES = 32
ENTRY = Struct(f"={NAME_BYTES}sQQ")
ENTRY_WORDS = ENTRY.size // WORD
# The words of all series: the 22 performatives with six histograms of 120 buckets each fit.
MAX_VALUES = 16_384

MAX_PEERS = 4_096
ROW_WORDS = 3

# In a copy.
SEAL, SEQUENCE = range(2)
SERIES_START = 2
PRIME = 2**64 - 59

# Kinds of series. A reader leaves out those that it does not know.
COUNTER, HISTOGRAM = range(2)


class Damage(ValueError):
    """A file that is no book, or no longer one; the text says what is wrong with it."""


class Series(NamedTuple):
    """Numbers under one name: a counter has one, a histogram one for each bucket."""

    name: str
    kind: int
    words: int


@dataclass(frozen=True)
class Layout:
    """What a book has place for. The owner makes it, readers find it in the file."""

    series: tuple[Series, ...]
    capacity: int

    @classmethod
    def of(cls, counters: Iterable[str], histograms: Mapping[str, int], capacity: int) -> Self:
        """Return the layout of a book with these names; raises ValueError for what does not fit."""
        series = (
            *(Series(name, COUNTER, 1) for name in counters),
            *(Series(name, HISTOGRAM, buckets) for name, buckets in histograms.items()),
        )
        layout = cls(series, capacity)
        layout.check(ValueError)
        return layout

    def check(self, error: type[ValueError]) -> None:
        """Raise the error if there are more series, words or rows than a book can have, or a wrong series."""
        if not 1 <= self.capacity <= MAX_PEERS:
            raise error(f"a book has place for 1 to {MAX_PEERS} peers, not {self.capacity}")
        for name, kind, words in self.series:
            if not 1 <= len(name.encode()) <= NAME_BYTES or "\0" in name:
                raise error(f"the name of a counter or histogram has 1 to {NAME_BYTES} bytes, unlike {name!r}")
            if words < 1 or (kind == COUNTER and words > 1):
                raise error(f"a histogram has at least one bucket, and a counter one number, unlike {name!r}")
        if len(self.series) > MAX_SERIES or self.values > MAX_VALUES:
            raise error(f"a book has at most {MAX_SERIES} counters and histograms, and {MAX_VALUES} numbers in them")
        if len({series.name for series in self.series}) < len(self.series):
            raise error("two counters or histograms of a book have the same name")

    @cached_property
    def values(self) -> int:
        """The words of all series together."""
        return sum(series.words for series in self.series)

    @cached_property
    def rows_start(self) -> int:
        """The word of a copy at which its rows begin."""
        return SERIES_START + self.values

    @property
    def copy_words(self) -> int:
        """The size of a copy."""
        return self.rows_start + self.capacity * ROW_WORDS

    def words_with(self, rows: int) -> int:
        """The words of a copy up to the last of so many rows; raises Damage if it does not have them."""
        if rows > self.capacity:
            raise Damage(f"{rows} rows in use, of {self.capacity}")
        return self.rows_start + rows * ROW_WORDS

    @cached_property
    def copies(self) -> tuple[int, int]:
        """The words of the file at which the copies begin."""
        first = HEAD_WORDS + len(self.series) * ENTRY_WORDS
        return first, first + self.copy_words

    @property
    def file_words(self) -> int:
        """The size of the file."""
        return self.copies[1] + self.copy_words

    @property
    def starts(self) -> dict[str, int]:
        """The word of a copy at which each series begins, by its name."""
        starts, at = {}, SERIES_START
        for name, _, words in self.series:
            starts[name] = at
            at += words
        return starts

    def front(self, owner: int) -> "array[int]":
        """Return head and table as they are in a new book."""
        table = b"".join(ENTRY.pack(name.encode(), kind, words) for name, kind, words in self.series)
        front = array("Q", [MAGIC, VERSION, 0, owner, len(self.series), self.capacity])
        front.extend([0] * (HEAD_WORDS - len(front)))
        front.frombytes(table)
        front[AT_CHECK] = _check_of(front)
        return front


def check_head(head: Sequence[int]) -> int:
    """Return how many words the table has; raises Damage if this is not the head of a book that can be read here."""
    if len(head) != HEAD_WORDS or head[AT_MAGIC] != MAGIC:
        raise Damage("not a book, or one that was never finished")
    if head[AT_VERSION] != VERSION:
        raise Damage(f"version {head[AT_VERSION]} of the layout; this one reads {VERSION}")
    if head[AT_SERIES] > MAX_SERIES:
        raise Damage(f"its head claims {head[AT_SERIES]} series, of {MAX_SERIES} at most")
    return head[AT_SERIES] * ENTRY_WORDS


def read_layout(front: "array[int]", file_bytes: int) -> Layout:
    """Return the layout that head and table tell of; `check_head` has seen the head. Raises Damage."""
    if front[AT_CHECK] != _check_of(front):
        raise Damage("its head or its table is not what was written")
    layout = _layout_of(front[HEAD_WORDS:].tobytes(), front[AT_CAPACITY])
    if file_bytes != layout.file_words * WORD:
        raise Damage(f"{file_bytes} bytes where its head wants {layout.file_words * WORD}")
    return layout


@lru_cache(maxsize=64)  # all workers have the same, and all sessions
def _layout_of(table: bytes, capacity: int) -> Layout:
    try:
        series = [Series(name.rstrip(b"\0").decode(), *numbers) for name, *numbers in ENTRY.iter_unpack(table)]
    except UnicodeDecodeError:
        raise Damage("a name in its table is not UTF-8") from None
    layout = Layout(tuple(series), capacity)
    layout.check(Damage)
    return layout


def _check_of(front: "array[int]") -> int:
    """Return the check of all that never changes: without itself, and without what a commit changes."""
    fixed = front[AT_VERSION:AT_CHECK] + front[AT_OWNER:AT_NEWEST] + front[HEAD_WORDS:]
    return crc32(fixed.tobytes())


@lru_cache(maxsize=64)
def weights(words: int) -> "array[int]":
    """Return a weight for each place of a copy; 0 for its seal. The same ones for the same place, always."""
    found = array("Q", hashlib.shake_256(b"caxton book").digest(words * WORD))
    found[SEAL] = 0
    return found


def seal_of(copy: Sequence[int]) -> int:
    """Return the seal that a whole copy has. Rows that were never in use count nothing, so they may be left out."""
    total: int = sum(map(mul, copy, weights(len(copy))))
    return total % PRIME


def is_whole(copy: Sequence[int], newest: int) -> bool:
    """Tell if this is what one commit left: that of sequence `newest`, or a later one."""
    return copy[SEQUENCE] >= newest and copy[SEAL] == seal_of(copy)


def view(layout: Layout, owner: int, copy: Sequence[int]) -> BookView:
    """Return what a whole copy says; raises Damage for a peer with two rows."""
    counters: dict[str, int] = {}
    histograms: dict[str, tuple[int, ...]] = {}
    numbers = iter(copy[SERIES_START:])
    for name, kind, words in layout.series:
        found = tuple(islice(numbers, words))
        if kind == COUNTER:
            counters[name] = found[0]
        elif kind == HISTOGRAM:
            histograms[name] = found
    links: dict[int, Totals] = {}
    for peer, emitted, taken in _rows(numbers):
        if peer in links:
            raise Damage(f"peer {peer:x} has two rows")
        if peer:
            links[peer] = Totals(emitted, taken)
    return BookView(owner, counters, links, histograms)


def _rows(numbers: Iterator[int]) -> Iterator[tuple[int, int, int]]:
    return zip(numbers, numbers, numbers, strict=True)
