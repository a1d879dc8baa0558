"""A session's volatile book, and the lock on it by which everybody knows that the session lives."""

import fcntl
import os
from collections import Counter, deque
from pathlib import Path

from caxton.links.ledger import TOPOLOGY
from caxton.store.books import Book

# Workers that ended and whose rows the book keeps, so that the supervisor can still compare; then the oldest goes.
ENDED_KEPT = 128
COUNTERS = (
    TOPOLOGY,
    *("sent", "unsent", "answered", "unasked", "inbox_full", "garbage", "stale", "gaps", "duplicates"),
    *("sent_durable", "resent", "held_back", "out_of_sequence", "duplicate_answers", "after_the_end"),
)


class SessionBook:
    """Made in the session's own file, locked from its first moment until `close`, or until the process ends.

    Children that the process forks share the lock, which lasts while one of them has it: each is to `abandon` it.
    """

    def __init__(self, path: Path, session: int) -> None:
        self._path = path
        new = path.with_suffix(".new")
        self._book = Book.create(new, session, COUNTERS, peers=256)
        self._lock = os.open(new, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        new.rename(path)  # whoever finds it under its name, not locked, knows that the session is over
        self._ended: deque[int] = deque()
        # As in `Book`: the last sequences of a link, visible with the next commit.
        self.emitted = self._book.emitted
        self.taken = self._book.taken
        self.commit = self._book.commit

    @property
    def is_in_place(self) -> bool:
        """True while the file has its name: without it everybody takes the session for one that is over."""
        try:
            return os.path.samestat(os.fstat(self._lock), self._path.stat())
        except OSError:
            return False

    def post(self, *gathered: "Counter[str]") -> None:
        """Move counts into the book, and commit it. KeyError for a name that is none of `COUNTERS`."""
        for counts in gathered:
            for name, n in counts.items():
                if n:
                    self._book.count(name, n)
            counts.clear()
        self._book.commit()

    def heard_topology(self, version: int) -> None:
        """Say which topology was heard, at once: what it forbids is not done any more."""
        self._book.gauge(TOPOLOGY, version)
        self._book.commit()

    def end(self, incarnation: int) -> None:
        """Note that a worker ended; its row goes when 128 others have ended after it."""
        self._ended.append(incarnation)
        if len(self._ended) > ENDED_KEPT:
            self._book.forget(self._ended.popleft())

    def close(self) -> None:
        """Let go of the file and the lock, whoever has a copy of its descriptor. Closing twice is fine."""
        self._book.close()
        if self._lock >= 0:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._forget_lock()

    def abandon(self) -> None:
        """In a forked child: have no part in the file and the lock any more; they stay the parent's."""
        self._book.close()
        if self._lock >= 0:
            self._forget_lock()

    def _forget_lock(self) -> None:
        os.close(self._lock)
        self._lock = -1
