"""What was lost when a worker died, from the books that it and its peers kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

# How many messages a worker has taken and not finished: a counter it keeps in the same commit as `taken`.
QUEUED = "queued"
# In a session's book, which topology it heard last: so the supervisor knows that it sends nothing more in a drain.
TOPOLOGY = "topology"


class Totals(NamedTuple):
    """The last sequence emitted to a peer, and the last one taken from it."""

    emitted: int
    taken: int


@dataclass(frozen=True)
class BookView:
    """One owner's book at one instant: its counters and histograms, and the totals of its link with each peer."""

    owner: int
    counters: dict[str, int]
    links: dict[int, Totals]
    histograms: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def emitted_to(self, peer: int) -> int:
        """The last sequence emitted to `peer`; 0 when there is no link."""
        return self.links[peer].emitted if peer in self.links else 0

    def taken_from(self, peer: int) -> int:
        """The last sequence taken from `peer`; 0 when there is no link."""
        return self.links[peer].taken if peer in self.links else 0


@dataclass(frozen=True)
class Loss:
    """What a worker's death cost, in messages.

    inbound: emitted to it and never taken. queued: taken, and not finished. outbound: emitted by it and never taken.
    unknown: emitted by it to peers whose books nobody has; any part of these may have been lost.
    """

    inbound: int
    queued: int
    outbound: int
    unknown: int = 0

    @property
    def total(self) -> int:
        """All that is known to be lost."""
        return self.inbound + self.queued + self.outbound


def close_books(dead: BookView, others: Iterable[BookView]) -> Loss:
    """Return what was lost with `dead`, given the books of its peers, for those that are gone their last ones.

    Exact when the peers have taken in what was on its way to them. What a peer found missing in the sequence while
    both lived is in that peer's counters and not in here.
    """
    peers = {book.owner: book for book in others if book.owner != dead.owner}
    inbound = sum(max(0, book.emitted_to(dead.owner) - dead.taken_from(peer)) for peer, book in peers.items())
    outbound = unknown = 0
    for peer, totals in dead.links.items():
        if peer in peers:
            outbound += max(0, totals.emitted - peers[peer].taken_from(dead.owner))
        else:
            unknown += totals.emitted
    return Loss(inbound, dead.counters.get(QUEUED, 0), outbound, unknown)
