"""What this run has lost, from the books of everybody who was there. A pair of peers is closed by the first to end.

What the survivor says of a closed pair may still change: it takes in what was on the way, or learns late that the other
is gone. So a closed pair is reckoned anew from the survivor's newest book, until neither is left.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from caxton.errors import StorageError
from caxton.ids import SESSION_BIT
from caxton.links.ledger import BookView, Loss, Totals, close_books
from caxton.store import books

# Records that are kept open; the oldest beyond these are reckoned a last time and added up.
KEPT_WORKERS = 256
KEPT_SESSIONS = 1_024
# What a worker has rather than did; it has it no more when it is dead.
GAUGES = frozenset({"queued", "pending", "dead_letters", "parked", "agents", "instances"})
PARKED = "parked"
GAPS = "gaps"


@dataclass
class _Closed:
    """The last book of one that ended, who lived then, and what those last said of their link with it."""

    book: BookView
    peers: frozenset[int]
    ends: dict[int, Totals] = field(default_factory=dict)

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
        queued = loss.queued + self._counted(PARKED)
        return Counter({"on_the_way_in": loss.inbound, "queued": queued, "on_the_way_out": loss.outbound})

    def _counted(self, name: str) -> int:
        return self.book.counters.get(name, 0)


class RunLedger:
    """Knows who lives and who has ended in this run. `book_of` names a peer's book. Bounded, however long it runs."""

    def __init__(self, book_of: Callable[[int], Path]) -> None:
        self._book_of = book_of
        self._living: dict[int, BookView | None] = {}
        self._closed: dict[int, _Closed] = {}
        self._folded: Counter[str] = Counter()
        # Counters of workers that are dead, added up.
        self._dead: Counter[str] = Counter()
        # Books that could not be read although their owners had been there.
        self.unreadable = 0

    def enter(self, peer: int) -> None:
        """A worker's incarnation, or a session, begins."""
        self._living[peer] = None

    def close_worker(self, incarnation: int) -> None:
        """A worker is dead and reaped; its book is still there, if it ever had one."""
        book = self._last_book(incarnation)
        self._read_workers()
        if book is not None:
            self._dead.update({name: count for name, count in book.counters.items() if name not in GAUGES})
            self._close(book)

    def close_session(self, session: int) -> None:
        """A session has ended; its book is still there, if it ever had one. Workers have not been told yet."""
        self._read_workers()
        book = self._last_book(session)
        if book is not None:
            self._close(book)

    @property
    def living(self) -> list[int]:
        """Everybody who is there."""
        return list(self._living)

    def read_books(self, peers: Iterable[int]) -> list[BookView]:
        """Read these peers' books, without those that are not there yet, or no more. Touches nothing of this object."""
        return list(_read_all((peer, self._book_of(peer)) for peer in peers))

    def refresh(self, views: Iterable[BookView]) -> None:
        """Take in newer books of the living."""
        for view in views:
            if view.owner in self._living:
                self._living[view.owner] = view
                self._note(view)

    def book(self, peer: int) -> BookView | None:
        """Return the newest book of somebody who lives; None when it was never read."""
        return self._living.get(peer)

    def totals(self) -> dict[str, int]:
        """Return the workers' counters, those of the dead included."""
        totals = Counter(self._dead)
        for view in self._living_workers():
            totals.update(view.counters)
        return dict(totals)

    def lost(self) -> dict[str, int]:
        """Return what was lost, by where it was, in messages; `total` leaves out what waited for ended sessions."""
        lost = Counter(self._folded)
        for closed in self._closed.values():
            lost.update(closed.lost())
        gaps = (
            lost[GAPS] + self._dead[GAPS] + sum(v.counters.get(GAPS, 0) for v in self._living.values() if v is not None)
        )
        places = {name: lost[name] for name in ("on_the_way_in", "queued", "on_the_way_out")}
        return places | {GAPS: gaps, "total": sum(places.values()) + gaps}

    @property
    def undelivered(self) -> int:
        """Messages that workers had sent to sessions that ended without taking them."""
        return self._folded["undelivered"] + sum(c.loss().inbound for c in self._closed.values() if c.is_session)

    def _living_workers(self) -> Iterator[BookView]:
        return (view for peer, view in self._living.items() if view is not None and peer < SESSION_BIT)

    def _read_workers(self) -> None:
        """Hear what workers say of one that ends, before they are told and forget it."""
        self.refresh(self.read_books([peer for peer in self._living if peer < SESSION_BIT]))

    def _last_book(self, peer: int) -> BookView | None:
        before = self._living.pop(peer, None)
        for view in self.read_books([peer]):
            return view
        self.unreadable += before is not None
        return before

    def _close(self, book: BookView) -> None:
        self._note(book)
        closed = self._closed[book.owner] = _Closed(book, frozenset(self._living))
        for peer, view in self._living.items():
            if view is not None and book.owner in view.links:
                closed.ends[peer] = view.links[book.owner]
        self._fold()

    def _note(self, view: BookView) -> None:
        for peer, totals in view.links.items():
            closed = self._closed.get(peer)
            if closed is not None and view.owner in closed.peers:
                closed.ends[view.owner] = totals

    def _fold(self) -> None:
        """Add up what nobody can change any more, and the oldest beyond what is kept."""
        for sessions, kept in ((False, KEPT_WORKERS), (True, KEPT_SESSIONS)):
            records = [closed for closed in self._closed.values() if closed.is_session is sessions]
            for place, closed in enumerate(records):
                if place < len(records) - kept or not closed.peers & self._living.keys():
                    self._folded.update(closed.lost())
                    del self._closed[closed.book.owner]


def _read_all(paths: Iterable[tuple[int, Path]]) -> Iterator[BookView]:
    for peer, path in paths:
        try:
            view = books.read(path)
        except StorageError:
            continue
        # Whose book it is follows from its name: what a client writes into its own file is not believed.
        yield BookView(peer, view.counters, view.links)
