"""The other ends of this worker's links, by number: who is known, who has ended, and how clients share the window."""

from collections import Counter
from collections.abc import Callable, Iterator
from hmac import compare_digest

from caxton.acl.envelope import Cause
from caxton.delivery.windows import LEAST_WINDOW, MOST_WINDOW
from caxton.ids import SESSION_BIT
from caxton.links.credit import FIRST_STORED
from caxton.links.session import SessionMarks
from caxton.transport.descriptors import LATE_SESSIONS
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Context, Outlet
from workers.peers.peer import WINDOW_BYTES, Peer

# Control frames that stand in a socket: states are repeated, and answers to calls wait beside it.
MOST_CONTROL = 256
# The pool of what may be under way here that all sessions share.
POOL = 32_768
# What other workers may have under way here, together: messages, and bytes. A shard has room for what it gave credit
# for, whatever its mailboxes hold. Each has at least what one stored frame holds, which is never cut and would not go.
WORKER_POOL, WORKER_POOL_BYTES = 32_768, 32 << 20
# What all sessions together may leave unread of what this worker sent them, on both lanes and as answers. Beyond it,
# those that leave more than their part get no more. It is looked at with each tick: what comes in one may go beyond.
MOST_UNREAD_IN_ALL = 512 << 20
# Peers that ended, by which frames of theirs that come late are known.
ENDED_KNOWN = 1_024


class Peers:
    """All peers by number. Workers come and go with the topology, sessions with their hello and their end.

    most_sessions: how many clients the supervisor lets in; a few more fit, for those whose end is not told yet. lives:
    whether a session's client still holds its lock. A mark ends with its session: one that does not live is not met,
    however long ago its end was told, and to whatever worker. claimed: for whom a session says that it acts, "" when it
    says nothing: it is so if the mark is made for that. most_window: messages that one session may have under
    way here, at most.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it works with; the composition is the only caller)
        self,
        context: Context,
        runtime: RuntimeDir,
        own: int,
        marks: SessionMarks,
        most_sessions: int,
        lives: Callable[[int], bool],
        claimed: Callable[[int], str],
        most_window: int = MOST_WINDOW,
    ) -> None:
        self._most_window = most_window
        self._claimed = claimed
        self._lives = lives
        self._context = context
        self._runtime = runtime
        self.own = own
        self._marks = marks
        self._most_sessions = most_sessions + LATE_SESSIONS
        self.by_number: dict[int, Peer] = {}
        # Incarnation of the worker that serves each shard, 0 while there is none.
        self.workers: list[int] = []
        self._ended: dict[int, None] = {}
        self._sessions = 0
        # How many sessions are here of each principal, "" for the runtime's owner.
        self.principals: Counter[str] = Counter()
        # Whether sessions, and other workers, are given no further credit now.
        self.held_back = (False, False)

    def find(self, number: int) -> Peer | None:
        """Return the peer, or None."""
        return self.by_number.get(number)

    def known(self, number: int, mark: bytes) -> Peer | None:
        """Return the peer that a frame's source and mark name, met for the first time perhaps; None if it is not so.

        A worker that we have not heard of is met too: after a restart, its first frame may come before the topology.
        """
        peer = self.by_number.get(number)
        if peer is not None:
            return peer if compare_digest(peer.their_mark, mark) else None
        principal = self._principal_of(number, mark)
        return None if principal is None else self._meet(number, principal)

    def vouches(self, number: int, mark: bytes) -> bool:
        """True when a mark is its peer's own, and the peer has not ended."""
        peer = self.by_number.get(number)
        if peer is not None:
            return compare_digest(peer.their_mark, mark)
        return self._principal_of(number, mark) is not None and self._may_be_met(number)

    def seal(self, session: int, cause: Cause) -> bytes:
        """Return by what any worker of this runtime knows again that a session was given a cause."""
        return self._marks.seal(session, cause)

    def is_supervisor(self, number: int, mark: bytes) -> bool:
        """True when a frame's source and mark are the supervisor's."""
        return number == SUPERVISOR and self._marks.verify(number, mark)

    def serve(self, incarnations: list[int]) -> list[int]:
        """Take over the workers of a topology; returns the shards whose worker is another one now."""
        changed = [s for s, n in enumerate(incarnations) if s >= len(self.workers) or self.workers[s] != n]
        for gone in set(self.workers) - set(incarnations):
            self.end(gone)
        self.workers = list(incarnations)
        for number in incarnations:
            if number not in (0, self.own) and number not in self.by_number:
                self._meet(number)
        return changed

    def end(self, number: int) -> None:
        """Forget a peer that ended, for good."""
        peer = self.by_number.pop(number, None)
        if number:
            self._ended[number] = None
            while len(self._ended) > ENDED_KNOWN:
                del self._ended[next(iter(self._ended))]
        if peer is not None:
            peer.close()
            if peer.is_session:
                self._one_less(peer.principal)
            self.share_pool()

    def has_ended(self, number: int) -> bool:
        """True for a peer that was ended, among the last 1,024."""
        return number in self._ended

    def sessions(self) -> Iterator[Peer]:
        """Every connected client."""
        return (peer for peer in self.by_number.values() if peer.is_session)

    def close(self) -> None:
        """Disconnect from everybody. Closing twice is fine."""
        for peer in self.by_number.values():
            peer.close()
        self.by_number.clear()

    def _principal_of(self, number: int, mark: bytes) -> str | None:
        """Return for whom a peer acts that has this mark, None when the mark is not its own."""
        if self._marks.verify(number, mark):
            return ""
        principal = self._claimed(number) if number >= SESSION_BIT else ""
        return principal if principal and self._marks.verify(number, mark, principal) else None

    def _meet(self, number: int, principal: str = "") -> Peer | None:
        if number == self.own or not self._may_be_met(number):
            return None
        if number >= SESSION_BIT and len(self.by_number) >= self._most_sessions + len(self.workers):
            return None  # ZeroMQ ends a process that opens more files than it may
        data = Outlet(self._context, self._runtime.data(number))
        control = Outlet(self._context, self._runtime.control(number), MOST_CONTROL)
        peer = self.by_number[number] = Peer(number, self.own, self._marks, data, control, principal)
        if peer.is_session:
            self.principals[principal] += 1
        self.share_pool()
        peer.announce()
        return peer

    def _one_less(self, principal: str) -> None:
        self.principals[principal] -= 1
        if not self.principals[principal]:
            del self.principals[principal]

    def _may_be_met(self, number: int) -> bool:
        return number not in self._ended and (number < SESSION_BIT or self._lives(number))

    def hold_back(self, *, sessions: bool, workers: bool) -> list[int]:
        """Give sessions, or other workers, no further credit while it is said so, and give it again after.

        Returns who is to be told.
        """
        if self.held_back == (sessions, workers):
            return []
        self.held_back = sessions, workers
        return self.share_pool()

    def unread_bytes(self, stored: Callable[[int], int]) -> int:
        """Return what all sessions together leave unread; `stored` as in `share_unread`."""
        return sum(peer.unread_bytes + stored(peer.number) for peer in self.sessions())

    def share_unread(self, stored: Callable[[int], int]) -> None:
        """Look who leaves more than their part unread, while all sessions together leave too much.

        stored: the bytes that wait in the outbox of a session.
        """
        kept = [(peer, peer.unread_bytes + stored(peer.number)) for peer in self.sessions()]
        is_too_much = sum(size for _, size in kept) > MOST_UNREAD_IN_ALL
        for peer, size in kept:
            peer.crowds = is_too_much and size * len(kept) > MOST_UNREAD_IN_ALL

    def heed_unread(self, peer: Peer) -> bool:
        """Give a session no further credit while it leaves much unread, and give it again after.

        True when that is another word than before. What causes answers then waits with the session, and answers have
        room. Those that it has credit for already may still come.
        """
        if peer.lags == peer.leaves_much_unread:
            return False
        peer.lags = not peer.lags
        if peer.share_window(*self._share_of_session(peer)):
            peer.announce()
        return True

    def share_pool(self) -> list[int]:
        """Give every peer its share of the window, on each lane, and return those for which it is another one."""
        to_workers = self.held_back[1]
        self._sessions = sum(peer.is_session for peer in self.by_number.values())
        others = max(1, len(self.by_number) - self._sessions)
        of_worker = 0 if to_workers else min(MOST_WINDOW, max(FIRST_STORED, WORKER_POOL // others))
        bytes_of_worker = 0 if to_workers else min(WINDOW_BYTES, WORKER_POOL_BYTES // others)
        changed: list[int] = []
        for peer in self.by_number.values():
            share = self._share_of_session(peer) if peer.is_session else (of_worker, bytes_of_worker)
            if peer.share_window(*share):
                peer.announce()
                changed.append(peer.number)
        return changed

    def _share_of_session(self, peer: Peer) -> tuple[int, int]:
        if self.held_back[0] or peer.lags:
            return (0, 0)
        return max(LEAST_WINDOW, min(self._most_window, POOL // max(1, self._sessions))), WINDOW_BYTES
