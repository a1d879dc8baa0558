"""What this run has lost, from the books of everybody who was there. A pair of peers is closed by the first to end.

What the survivor says of a closed pair may still change: it takes in what was on the way, or learns late that the other
is gone. So a closed pair is reckoned anew from the survivor's newest book, until many others have ended after it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from caxton.delivery.latency import LATENCIES, together
from caxton.errors import StorageError
from caxton.ids import SESSION_BIT
from caxton.links.ledger import BookView, Loss, Totals, close_books
from caxton.store import books
from caxton.wire.counters import GAUGES

# Records that are kept; the oldest beyond these are reckoned a last time and added up.
KEPT_WORKERS = 256
KEPT_SESSIONS = 1_024
# Of all workers the most, and not the sum.
OLDEST = "oldest_ms"
BACKLOG = "backlog"
GAPS = "gaps"
# What a client may say at most of any number in its book: a million messages a second for a year; thousands of them add
# up to what an answer can carry.
MOST_OF_A_CLIENT = 1 << 45


@dataclass
class _Closed:
    """The last book of one that ended, who lived then, and what those last said of their link with it."""

    book: BookView
    peers: frozenset[int]
    ends: dict[int, Totals]

    @property
    def is_session(self) -> bool:
        return self.book.owner >= SESSION_BIT

    def loss(self) -> Loss:
        owner = self.book.owner
        others = (BookView(p, {}, {owner: self.ends[p]} if p in self.ends else {}) for p in self.peers)
        return close_books(self.book, others)

    def lost(self) -> Counter[str]:
        loss = self.loss()
        if self.is_session:
            return Counter({"on_the_way_in": loss.outbound, "undelivered": loss.inbound, GAPS: self._counted(GAPS)})
        queued = loss.queued + self._counted(BACKLOG)
        return Counter({"on_the_way_in": loss.inbound, "queued": queued, "on_the_way_out": loss.outbound})

    def _counted(self, name: str) -> int:
        return self.book.counters.get(name, 0)


class RunLedger:
    """Knows who lives and who has ended in this run. `book_of` names a peer's book. Bounded, however long it runs.

    A session has links with workers only: what its end costs does not grow with the sessions that live or have ended.
    """

    def __init__(self, book_of: Callable[[int], Path]) -> None:
        self._book_of = book_of
        self._workers: dict[int, BookView | None] = {}
        self._sessions: dict[int, BookView | None] = {}
        # Records of those that have ended, oldest first.
        self._dead_workers: dict[int, _Closed] = {}
        self._ended_sessions: dict[int, _Closed] = {}
        self._folded: Counter[str] = Counter()
        # Counters of workers that are dead, added up.
        self._dead: Counter[str] = Counter()
        # Their histograms, the same.
        self._dead_latencies: dict[str, list[int]] = {}
        # Books that could not be read although their owners had been there.
        self.unreadable = 0

    def enter(self, peer: int) -> None:
        """A worker's incarnation, or a session, begins."""
        self._group(peer)[peer] = None

    def close_worker(self, incarnation: int) -> None:
        """A worker is dead and reaped; its book is still there, if it ever had one."""
        book = self._last_book(incarnation)
        self._read_workers()
        if book is not None:
            self._dead.update({name: count for name, count in book.counters.items() if name not in GAUGES})
            self._dead_latencies = self._together([book])
            self._close(book, [*self._workers.items(), *self._sessions.items()])

    def close_sessions(self, sessions: Iterable[int]) -> None:
        """Some sessions have ended; their books are still there, if they had any. Workers have not been told yet.

        The workers' books are read once for all of them.
        """
        self._read_workers()
        for session in sessions:
            book = self._last_book(session)
            if book is not None:
                self._close(book, self._workers.items())

    @property
    def living(self) -> list[int]:
        """Everybody who is there."""
        return [*self._workers, *self._sessions]

    @property
    def sessions(self) -> list[int]:
        """The clients that are there."""
        return list(self._sessions)

    def read_books(self, peers: Iterable[int]) -> list[BookView]:
        """Read these peers' books, without those that are not there yet, or no more. Touches nothing of this object."""
        return list(_read_all((peer, self._book_of(peer)) for peer in peers))

    def refresh(self, views: Iterable[BookView]) -> None:
        """Take in newer books of the living."""
        for view in views:
            living = self._group(view.owner)
            if view.owner in living:
                living[view.owner] = view
                self._note(view)

    def book(self, peer: int) -> BookView | None:
        """Return the newest book of somebody who lives; None when it was never read."""
        return self._group(peer).get(peer)

    def totals(self) -> dict[str, int]:
        """Return the workers' counters, those of the dead included."""
        totals = Counter(self._dead)
        views = [view for view in self._workers.values() if view is not None]
        for view in views:
            totals.update(view.counters)
        return dict(totals) | {OLDEST: max((view.counters.get(OLDEST, 0) for view in views), default=0)}

    def latencies(self) -> dict[str, list[int]]:
        """Return how long things took, in buckets of `caxton.delivery.latency`; the dead workers' are among them."""
        return self._together(view for view in self._workers.values() if view is not None)

    def _together(self, views: Iterable[BookView]) -> dict[str, list[int]]:
        histograms = [view.histograms for view in views]
        before = self._dead_latencies
        return {name: together([before.get(name, ()), *(of.get(name, ()) for of in histograms)]) for name in LATENCIES}

    def lost(self) -> dict[str, int]:
        """Return what was lost, by where it was, in messages; `total` leaves out what waited for ended sessions."""
        lost = self._reckoned()
        living = [view for view in (*self._workers.values(), *self._sessions.values()) if view is not None]
        gaps = lost[GAPS] + self._dead[GAPS] + sum(view.counters.get(GAPS, 0) for view in living)
        places = {name: lost[name] for name in ("on_the_way_in", "queued", "on_the_way_out")}
        return places | {GAPS: gaps, "total": sum(places.values()) + gaps}

    @property
    def undelivered(self) -> int:
        """Messages that workers had sent to sessions that ended without taking them."""
        return self._reckoned()["undelivered"]

    def _reckoned(self) -> "Counter[str]":
        lost = Counter(self._folded)
        for closed in (*self._dead_workers.values(), *self._ended_sessions.values()):
            lost.update(closed.lost())
        return lost

    def _group(self, peer: int) -> dict[int, BookView | None]:
        return self._sessions if peer >= SESSION_BIT else self._workers

    def _read_workers(self) -> None:
        """Hear what workers say of one that ends, before they are told and forget it."""
        self.refresh(self.read_books(self._workers))

    def _last_book(self, peer: int) -> BookView | None:
        before = self._group(peer).pop(peer, None)
        for view in self.read_books([peer]):
            return view
        self.unreadable += before is not None
        return before

    def _close(self, book: BookView, living: Iterable[tuple[int, BookView | None]]) -> None:
        """Keep the record of one that ended, with those who live and may have a link with it."""
        self._note(book)
        owner, views = book.owner, dict(living)
        links = {peer: totals for peer, totals in book.links.items() if peer in views}
        ends = {peer: view.links[owner] for peer, view in views.items() if view is not None and owner in view.links}
        closed = _Closed(BookView(owner, book.counters, links), frozenset(views), ends)
        records, kept = (
            (self._ended_sessions, KEPT_SESSIONS) if closed.is_session else (self._dead_workers, KEPT_WORKERS)
        )
        records[owner] = closed
        if len(records) > kept:
            self._folded.update(records.pop(next(iter(records))).lost())

    def _note(self, view: BookView) -> None:
        for peer, totals in view.links.items():
            closed = self._dead_workers.get(peer) or self._ended_sessions.get(peer)
            if closed is not None and view.owner in closed.peers:
                closed.ends[view.owner] = totals


def _read_all(paths: Iterable[tuple[int, Path]]) -> Iterator[BookView]:
    for peer, path in paths:
        is_session = peer >= SESSION_BIT
        try:
            view = books.read(path, patience_s=0) if is_session else books.read(path)
        except StorageError:
            continue
        # What a client writes into its own file is not believed: whose book it is follows from its name, a number is no
        # larger than messages can be sent, and a book that changes in every reading is not waited for.
        counters, links = view.counters, view.links
        if is_session:
            counters = {name: min(n, MOST_OF_A_CLIENT) for name, n in counters.items()}
            links = {p: Totals(*(min(n, MOST_OF_A_CLIENT) for n in totals)) for p, totals in links.items()}
        yield BookView(peer, counters, links, {} if is_session else view.histograms)
