"""The volatile books: what one worker or session emitted, took and counted, in a mapped file that outlives it.

The page cache keeps the file when its owner is killed, so the supervisor reads what the owner last committed. It does
not survive a power cut, and nothing volatile does.
"""

import errno
import mmap
import os
import time
from array import array
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Protocol, Self, overload

from caxton.errors import ResourceExhausted, StorageError
from caxton.links.ledger import BookView
from caxton.store import book_layout as at
from caxton.store.regular_file import opened

# One reading in some is in vain while the owner commits all the time. After so many it waits before each, and gives up
# after so long: nobody commits as fast as that who means to be read.
QUICK_READINGS = 100
PAUSE_S = 0.001
PATIENCE_S = 1.0


class Words(Protocol):
    """A file as unsigned 64-bit words: a store of one word is visible at once and whole."""

    @overload
    def __setitem__(self, places: slice, values: "array[int]", /) -> None: ...
    @overload
    def __setitem__(self, place: int, value: int, /) -> None: ...
    def __getitem__(self, place: int, /) -> int: ...


class Book:
    """Gathers changes in memory and makes them visible together. For its one owner, from one thread.

    Commit what was emitted before it is sent, and what was taken before anybody is told: then the books never say
    less than what happened. Whatever changes a number raises OverflowError for one outside 0..2**64-1.
    """

    def __init__(self, head: Words, copies: tuple[Words, Words], layout: at.Layout, close: Callable[[], None]) -> None:
        self._head = head
        self._copies = copies
        self._layout = layout
        self._close = close
        self._closed = False
        self._weights = at.weights(layout.copy_words)
        self._starts = layout.starts
        self._counters = {name: self._starts[name] for name, kind, _ in layout.series if kind == at.COUNTER}
        # A copy as it is to become, the places in it that neither copy has yet, and those that only the newest has.
        self._numbers = array("Q", [0]) * layout.copy_words
        self._gathered: set[int] = set()
        self._behind: set[int] = set()
        self._row_of: dict[int, int] = {}
        self._free: list[int] = []
        self._rows = 0

    @classmethod
    def create(
        cls,
        path: Path,
        owner: int,
        counters: tuple[str, ...],
        peers: int = at.MAX_PEERS,
        histograms: Mapping[str, int] | None = None,
    ) -> Self:
        """Make the file, for its user alone, all of its size reserved and every number zero.

        `peers`: how many links it has place for at a time. `histograms`: how many buckets each of them has. Raises
        StorageError when the file is there or cannot be made, ValueError for names or numbers that do not fit.
        """
        layout = at.Layout.of(counters, histograms or {}, peers)
        try:
            mapped = _map_new(path, layout.file_words * at.WORD)
        except OSError as error:
            raise StorageError(str(path), f"the book cannot be made: {error.strerror}") from error
        words = memoryview(mapped).cast("Q")
        front = layout.front(owner)
        words[: len(front)] = front

        head = words[: at.HEAD_WORDS]
        first, second = (words[start : start + layout.copy_words] for start in layout.copies)

        def close() -> None:
            for view in (head, first, second, words):
                view.release()
            mapped.close()

        return cls(head, (first, second), layout, close)

    def count(self, counter: str, more: int = 1) -> None:
        """Add to a counter. KeyError for a name the book was not made with."""
        place = self._starts[counter]
        self._gathered.add(place)
        self._numbers[place] += more

    def gauge(self, counter: str, value: int) -> None:
        """Set a counter. KeyError for a name the book was not made with."""
        self._set(self._starts[counter], value)

    def record(self, histogram: str, bucket: int, more: int = 1) -> None:
        """Add to a bucket, of those that the histogram has. KeyError for a name the book was not made with."""
        place = self._starts[histogram] + bucket
        self._gathered.add(place)
        self._numbers[place] += more

    def totals(self) -> dict[str, int]:
        """Return every counter as gathered so far."""
        return {name: self._numbers[place] for name, place in self._counters.items()}

    def emitted(self, peer: int, total: int) -> None:
        """Set the last sequence emitted to a peer. Raises ResourceExhausted when there is no row left for it."""
        self._set(self._row(peer) + 1, total)

    def taken(self, peer: int, total: int) -> None:
        """Set the last sequence taken from a peer. Raises ResourceExhausted when there is no row left for it."""
        self._set(self._row(peer) + 2, total)

    def forget(self, peer: int) -> None:
        """Give a peer's row back, once its books are closed; nothing happens for a peer without one."""
        row = self._row_of.pop(peer, None)
        if row is not None:
            self._free.append(row)
            for place in range(row, row + at.ROW_WORDS):
                self._set(place, 0)

    def commit(self) -> None:
        """Make everything gathered visible at once, whatever happens to this process in between.

        An exception that comes from outside (Ctrl-C) leaves the commit to the next one. Raises StorageError after
        `close`; nothing is visible then.
        """
        if self._closed:
            raise StorageError("book", "it was closed before this commit")
        gathered = self._gathered
        if not gathered:
            return
        head, numbers, weights = self._head, self._numbers, self._weights
        sequence = head[at.AT_NEWEST] + 1
        older, newest = self._copies[sequence % 2], self._copies[1 - sequence % 2]
        seal = newest[at.SEAL] + weights[at.SEQUENCE]
        for place in gathered:
            seal += weights[place] * (numbers[place] - newest[place])
        head[at.AT_ROWS] = self._rows
        for place in gathered | self._behind:
            older[place] = numbers[place]
        older[at.SEQUENCE] = sequence
        older[at.SEAL] = seal % at.PRIME
        head[at.AT_NEWEST] = sequence
        self._behind, self._gathered = gathered, set()

    def close(self) -> None:
        """Let go of the file, which stays; what was not committed is dropped. Twice is fine."""
        if not self._closed:
            self._closed = True
            self._close()

    def _set(self, place: int, value: int) -> None:
        if self._numbers[place] != value:
            self._gathered.add(place)
            self._numbers[place] = value

    def _row(self, peer: int) -> int:
        row = self._row_of.get(peer)
        return self._new_row(peer) if row is None else row

    def _new_row(self, peer: int) -> int:
        if self._free:
            row = self._free.pop()
        elif self._rows < self._layout.capacity:
            row = self._layout.rows_start + self._rows * at.ROW_WORDS
            self._rows += 1
        else:
            raise ResourceExhausted("links in a book", self._layout.capacity)
        self._set(row, peer)
        self._row_of[peer] = row
        return row


def _map_new(path: Path, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)  # a mapped hole on a full disk would be a deadly SIGBUS later
        return mmap.mmap(descriptor, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def read(path: Path, patience_s: float = PATIENCE_S) -> BookView:
    """Return what the owner of a book last committed, alive or dead, in the midst of a commit or not.

    Reads the file and maps nothing, so nobody who cuts it short can harm the reader. Raises StorageError for a file
    that is not there, is no book or one of another version, is damaged, or was being changed in every reading of
    `patience_s`, and in many.
    """
    try:
        with opened(path) as descriptor:
            head = _read_words(descriptor, 0, at.HEAD_WORDS)
            table = _read_words(descriptor, at.HEAD_WORDS, at.check_head(head))
            layout = at.read_layout(head + table, os.fstat(descriptor).st_size)
            return at.view(layout, head[at.AT_OWNER], _newest_copy(descriptor, layout, patience_s))
    except at.Damage as error:
        raise StorageError(str(path), f"the book is damaged: {error}") from error
    except OSError as error:
        raise StorageError(str(path), f"the book cannot be read: {error.strerror}") from error


def _newest_copy(descriptor: int, layout: at.Layout, patience_s: float) -> "array[int]":
    """Return the newest copy, whole, or one that has become it meanwhile. Raises Damage, TimeoutError."""
    before: tuple[int, array[int]] | None = None
    paused = False
    give_up_at = time.monotonic() + patience_s
    for reading in count(1):
        newest, rows = _read_words(descriptor, at.AT_NEWEST, 2)
        copy = _read_words(descriptor, layout.copies[newest % 2], layout.words_with(rows))
        if at.is_whole(copy, newest):
            return copy
        still = before == (newest, copy)
        if still and paused:
            break
        before, paused = (newest, copy), still or reading >= QUICK_READINGS
        if paused:
            if reading >= QUICK_READINGS and time.monotonic() > give_up_at:
                raise TimeoutError(errno.ETIME, f"it changed in each of {reading} readings")
            time.sleep(PAUSE_S)
    raise at.Damage("its newest copy is not whole, and nobody writes")


def _read_words(descriptor: int, start: int, count: int) -> "array[int]":
    raw = os.pread(descriptor, count * at.WORD, start * at.WORD)
    if len(raw) != count * at.WORD:
        raise at.Damage("it ends too early, or was never finished")
    return array("Q", raw)
