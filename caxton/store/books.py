"""The volatile books: what one worker or session emitted, took and counted, in a mapped file that outlives it.

The page cache keeps the file when its owner is killed, so the supervisor reads what the owner last committed. It does
not survive a power cut, and nothing volatile does.
"""

import contextlib
import mmap
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self, overload

from caxton.errors import ResourceExhausted, StorageError
from caxton.links.ledger import BookView
from caxton.store import book_layout as at

# A commit holds the phase odd for microseconds; one that is met this often in a row is no accident.
READ_TRIES = 1_000


class Words(Protocol):
    """A file as unsigned 64-bit words: a store of one word is visible at once and whole, one of several bit by bit."""

    @overload
    def __setitem__(self, places: slice, values: "array[int]", /) -> None: ...
    @overload
    def __setitem__(self, place: int, value: int, /) -> None: ...


class Book:
    """Gathers changes in memory and makes them visible together. For its one owner, from one thread.

    Commit what was emitted before it is sent, and what was taken before anybody is told: then the books never say
    less than what happened.
    """

    def __init__(self, words: Words, counters: tuple[str, ...], peers: int, close: Callable[[], None]) -> None:
        self._words = words
        self._close = close
        self._closed = False
        self._peers = peers
        self._rows_start = at.rows_start(peers)
        self._word_of = {name: at.COUNTERS_START + place for place, name in enumerate(counters)}
        self._counted = dict.fromkeys(self._word_of, 0)
        self._row_of: dict[int, int] = {}
        self._free: list[int] = []
        self._rows = 0
        self._phase = 0
        self._pending: dict[int, int] = {}

    @classmethod
    def create(cls, path: Path, owner: int, counters: tuple[str, ...], peers: int = at.MAX_PEERS) -> Self:
        """Make the file, for its user alone, all of its size reserved and every number zero.

        `peers`: how many links it has place for at a time. Raises StorageError when the file is there or cannot be
        made, ValueError for names or numbers that do not fit.
        """
        front = at.front_of(owner, counters, peers)
        size = at.total_words(peers) * at.WORD
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)  # a mapped hole on a full disk would be a deadly SIGBUS later
                mapped = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(str(path), f"the book cannot be made: {error.strerror}") from error
        words = memoryview(mapped).cast("Q")
        words[: at.FRONT_WORDS] = front
        words[at.AT_MAGIC] = at.MAGIC

        def close() -> None:
            words.release()
            mapped.close()

        return cls(words, counters, peers, close)

    def count(self, counter: str, more: int = 1) -> None:
        """Add to a counter. KeyError for a name the book was not made with."""
        self.gauge(counter, self._counted[counter] + more)

    def gauge(self, counter: str, value: int) -> None:
        """Set a counter. KeyError for a name the book was not made with."""
        self._pending[self._word_of[counter]] = value
        self._counted[counter] = value

    def totals(self) -> dict[str, int]:
        """Return every counter as gathered so far."""
        return dict(self._counted)

    def emitted(self, peer: int, total: int) -> None:
        """Set the last sequence emitted to a peer. Raises ResourceExhausted when there is no row left for it."""
        self._pending[self._row(peer) + 1] = total

    def taken(self, peer: int, total: int) -> None:
        """Set the last sequence taken from a peer. Raises ResourceExhausted when there is no row left for it."""
        self._pending[self._row(peer) + 2] = total

    def forget(self, peer: int) -> None:
        """Give a peer's row back, once its books are closed; nothing happens for a peer without one."""
        row = self._row_of.pop(peer, None)
        if row is not None:
            self._free.append(row)
            self._pending.update({row: 0, row + 1: 0, row + 2: 0})

    def commit(self) -> None:
        """Make everything gathered visible at once, whatever happens to this process in between.

        Raises StorageError after `close`, OverflowError for a number outside 0..2**64-1; nothing is visible then.
        """
        if self._closed:
            raise StorageError("book", "it was closed before this commit")
        pending = self._pending
        if not pending:
            return
        words = self._words
        changes = array("Q", [number for change in pending.items() for number in change])
        words[at.JOURNAL_START : at.JOURNAL_START + len(changes)] = changes
        words[at.AT_PAIRS] = len(pending)
        words[at.AT_PHASE] = self._phase + 1
        for word, value in pending.items():
            words[word] = value
        words[at.AT_PHASE] = self._phase = self._phase + 2
        pending.clear()

    def close(self) -> None:
        """Let go of the file, which stays; what was not committed is dropped. Twice is fine."""
        if not self._closed:
            self._closed = True
            self._close()

    def _row(self, peer: int) -> int:
        row = self._row_of.get(peer)
        return self._new_row(peer) if row is None else row

    def _new_row(self, peer: int) -> int:
        if self._free:
            row = self._free.pop()
        elif self._rows < self._peers:
            row = self._rows_start + self._rows * at.ROW_WORDS
            self._rows += 1
            self._pending[at.AT_ROWS] = self._rows
        else:
            raise ResourceExhausted("links in a book", self._peers)
        self._pending[row] = peer
        self._row_of[peer] = row
        return row


def read(path: Path) -> BookView:
    """Return what the owner of a book last committed, alive or dead, in the midst of a commit or not.

    Reads the file and maps nothing, so nobody who cuts it short can harm the reader. Relies on stores being seen in
    their order, as on x86-64, when the owner is alive. Raises StorageError for a file that is not there, is no book,
    is damaged, or changes too fast.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(str(path), f"the book cannot be read: {error.strerror}") from error
    try:
        for _ in range(READ_TRIES):
            found = _read_once(descriptor)
            if found is not None:
                return found
    except (at.Damage, OSError) as error:
        raise StorageError(str(path), f"the book is damaged: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    raise StorageError(str(path), f"the book changed during each of {READ_TRIES} readings")


def _read_once(descriptor: int) -> BookView | None:
    """Return the book, or None if a commit began or ended meanwhile."""
    phase = _read_words(descriptor, at.AT_PHASE, 1)[0]
    front = _read_words(descriptor, 0, at.FRONT_WORDS)
    capacity = at.check_front(front, os.fstat(descriptor).st_size)
    rows = _read_words(descriptor, at.rows_start(capacity), front[at.AT_ROWS] * at.ROW_WORDS)
    journal = _read_words(descriptor, at.JOURNAL_START, 2 * front[at.AT_PAIRS]) if phase % 2 else array("Q")
    if _read_words(descriptor, at.AT_PHASE, 1)[0] != phase:
        return None
    return at.view(front, rows, journal)


def _read_words(descriptor: int, start: int, count: int) -> "array[int]":
    raw = os.pread(descriptor, count * at.WORD, start * at.WORD)
    if len(raw) != count * at.WORD:
        raise at.Damage("it ends too early, or was never finished")
    return array("Q", raw)
