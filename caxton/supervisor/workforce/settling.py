"""Deciding that all workers have come to rest in a drain: idle, and nothing on the way between them. Pure."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

# Rounds, a heartbeat each, in which workers at rest wait for clients: to hear of the drain, and for what is on its way
# from and to them. A client may say what it likes, or be stopped; so not for ever.
MOST_ROUNDS_FOR_CLIENTS = 5


@dataclass(frozen=True)
class Flow:
    """What living workers emitted to, and took from, other living workers, in messages."""

    emitted: int
    taken: int


class Settling:
    """Two rounds of heartbeats decide. In each, every worker is idle, and emitted equals taken; both give one total.

    One round is not enough: its heartbeats are of different moments, and a message may travel around them. What clients
    had sent before they knew may still be in the sockets, and so may what they were answered: workers that are at rest
    wait some rounds for it.
    """

    def __init__(self) -> None:
        self._idle: dict[int, bool] = {}
        self._last: Flow | None = None
        self._rounds_for_clients = MOST_ROUNDS_FOR_CLIENTS

    def heard(self, incarnation: int, *, idle: bool) -> None:
        """Note that a worker that drains has reported."""
        self._idle[incarnation] = idle

    def round_complete(self, living: AbstractSet[int]) -> bool:
        """True when every living worker has reported since the last round."""
        return living <= self._idle.keys()

    def at_rest(self, living: AbstractSet[int], flow: Flow, clients_are_done: Callable[[], bool]) -> bool:
        """Close a round with what flowed until now; True when this round and the one before it agree on rest.

        clients_are_done: all of them know, and nothing is on its way between them and the living.
        """
        idle = all(self._idle[incarnation] for incarnation in living)
        self._idle.clear()
        resting = flow if idle and flow.emitted == flow.taken else None
        settled = resting is not None and resting == self._last
        self._last = resting
        if settled and self._rounds_for_clients and not clients_are_done():
            self._rounds_for_clients -= 1
            return False
        return settled


def flow_between(totals: Mapping[int, Mapping[int, tuple[int, int]]]) -> Flow:
    """Return the flow among the owners of `totals`: owner → peer → (emitted to it, taken from it).

    Peers without totals of their own are left out: what was on the way to or from the dead does not come to rest.
    """
    pairs = [
        pair for owner, peers in totals.items() for peer, pair in peers.items() if peer in totals and peer != owner
    ]
    return Flow(sum(emitted for emitted, _ in pairs), sum(taken for _, taken in pairs))


def on_the_way(
    sessions: Mapping[int, Mapping[int, tuple[int, int]]], workers: Mapping[int, Mapping[int, tuple[int, int]]]
) -> int:
    """Return how many messages are between sessions and the workers in `workers`, either way; totals as above."""
    nothing = (0, 0)
    pairs = [
        (*ends, *workers[peer].get(session, nothing))
        for session, peers in sessions.items()
        for peer, ends in peers.items()
        if peer in workers
    ]
    return sum(max(0, sent - took) + max(0, answered - heard) for sent, heard, answered, took in pairs)
