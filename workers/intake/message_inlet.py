"""Frames in: decoded, checked against their source's mark, taken in sequence, placed. What is wrong is counted."""

from collections.abc import Callable
from random import random
from time import monotonic_ns

from caxton.acl.envelope import Envelope
from caxton.errors import CaxtonError, InvalidMessageFormat, ShardUnavailable
from caxton.transport import sockets
from caxton.wire.codec import DATA
from caxton.wire.frames import DataFrame
from workers.durable.lane import DurableLane
from workers.peers.peer import Peer
from workers.peers.peers import Peers
from workers.queues.timed_turn import Take, TimedTurn
from workers.turns.routes import Routes
from workers.volatile.placing import DRAINING, Placing
from workers.worker_pass import Pass

# Frames at a time, however few messages are in each: so that no flood of small ones keeps turns from running.
MAX_FRAMES = 64
Refused = list[tuple[int, Envelope, CaxtonError]]


class MessageInlet:
    """Takes data frames, a few at a time.

    draining: sessions are refused. leaving: a successor comes, and durable frames are left to it. more: the socket may
    hold more than the last `take` took.
    """

    def __init__(
        self,
        socket: sockets.Inlet,
        peers: Peers,
        placing: Placing,
        routes: Routes,
        take: Take,
        own: int,
        durable: DurableLane,
    ) -> None:
        self._receive = socket.receive
        self._durable = durable
        self._peers = peers
        self._placing = placing
        self._routes = routes
        self._take = take
        self._own = own
        self.draining = False
        self.leaving = False
        self.more = False
        # Of the pass that goes on: the turn of the message that is measured, and how long it took to place it.
        self._timed: TimedTurn | None = None
        self._read_ns = self._routed_ns = 0

    def take(self, a_pass: Pass, most: int) -> None:
        """Take and place what has come, up to `most` messages (and what the last frame brings beyond) and 64 frames."""
        messages = 0
        self.more = True
        for _ in range(MAX_FRAMES):
            raw = self._receive()
            if raw is None:
                self.more = False
                return
            if self._timed is None:
                self._read_ns = monotonic_ns()
            messages += self._take_frame(raw, a_pass)
            if messages >= most:
                return

    def tell_measured(self, a_pass: Pass) -> None:
        """A pass ends: what was measured of one message counts for all that it took."""
        timed, self._timed = self._timed, None
        taken = a_pass.taken_messages
        if timed is not None and taken:
            a_pass.latencies.append(("routing", self._routed_ns, taken))
            timed.tell(a_pass, taken)

    def _take_frame(self, raw: bytes, a_pass: Pass) -> int:
        """Return how many messages it brought; what is dropped counts by its weight, as one for each KiB."""
        counts = a_pass.counts
        try:
            frame = DATA.decode(raw)
        except InvalidMessageFormat:
            counts["garbage"] += 1
            return len(raw) >> 10
        peer = self._peers.known(frame.source, frame.mark)
        if peer is None:
            counts["forged"] += 1
            return len(raw) >> 10
        if frame.target != self._own or frame.state is not None:  # states come to a worker on its other inlet
            counts["garbage"] += 1
            a_pass.tell.add(peer.number)
            return len(raw) >> 10
        return self._place_durable(peer, frame, a_pass) if frame.lane else self._place(peer, frame, a_pass)

    def _place(self, peer: Peer, frame: DataFrame, a_pass: Pass) -> int:
        counts, incoming, messages = a_pass.counts, peer.link.incoming, frame.messages
        size = sum([len(m.content) for m in messages])
        taken = incoming.take(frame.first, len(messages), size)
        a_pass.tell.add(peer.number)
        counts["gaps"] += taken.lost
        if taken.skip:
            counts["over_credit" if taken.over_credit else "duplicates"] += taken.skip
            messages = messages[taken.skip :]
        if not messages:  # no more than a word how far they went
            counts["over_credit"] += taken.over_credit and not frame.messages
            a_pass.taken[peer.number] = incoming.taken
            return 0
        first = frame.first + taken.skip
        counts["frames_in"] += 1
        counts["taken_from_sessions" if peer.is_session else "taken_from_workers"] += len(messages)
        if peer.is_session and self.draining:
            why: CaxtonError = ShardUnavailable(self._placing.shard, DRAINING)
            refused = [(first + place, message, why) for place, message in enumerate(messages)]
        else:
            refused = self._placed(
                lambda some, at, take: self._placing.from_peer(some, peer.number, at, a_pass, take, peer.principal),
                messages,
                first,
                peer,
            )
        for sequence, message, error in refused:
            if peer.is_session:
                incoming.refuse(sequence, error)
                counts["refused"] += 1
            else:
                self._routes.refuse(message, error)
        incoming.place(len(messages), size)
        a_pass.taken[peer.number] = incoming.taken
        return len(messages)

    def _place_durable(self, peer: Peer, frame: DataFrame, a_pass: Pass) -> int:
        """Take a frame of the durable lane; it is acknowledged when what follows from it is committed."""
        counts, durable, messages = a_pass.counts, self._durable, frame.messages
        if not messages:  # nothing is lost on this lane, and who says so says nothing
            counts["garbage"] += 1
            return 0
        source = durable.greetings.source_of(peer)
        if source is None or self.leaving:
            counts["left"] += len(messages)
            if source is None:
                durable.greetings.say(peer)
            return 0
        size = sum([len(m.content) for m in messages])
        incoming = source.incoming
        taken = incoming.take(frame.first, len(messages), size)
        if taken.skip:
            counts["left" if taken.gap else "over_credit" if taken.over_credit else "duplicates"] += taken.skip
            messages = messages[taken.skip :]
            if incoming.hello_due:
                durable.greetings.say(peer)
            if not messages:
                peer.announce()  # what was taken before may have been told in a state that was lost
                a_pass.tell.add(peer.number)
                return 0
        first = frame.first + taken.skip
        counts["frames_in"] += 1
        counts["taken_from_sessions" if peer.is_session else "taken_from_workers"] += len(messages)
        durable.journal.took(source, len(messages), size)
        if peer.is_session and self.draining:
            why: CaxtonError = ShardUnavailable(self._placing.shard, DRAINING)
            refused = [(first + place, message, why) for place, message in enumerate(messages)]
        else:
            refused = self._placed(
                lambda some, at, take: durable.placing.from_peer(
                    some, source, at, a_pass, take, peer.principal, resent=frame.resent
                ),
                messages,
                first,
                peer,
            )
        ledger = durable.journal.counts
        ledger["accepted_clients" if peer.is_session else "taken_workers"] += len(messages)
        for sequence, message, error in refused:
            if peer.is_session:
                incoming.refuse(sequence, error)
                counts["refused"] += 1
                ledger["accepted_clients"] -= 1
                ledger["refused"] += 1
            else:
                durable.routes.refuse(message, error)
        return len(messages)

    def _placed(
        self, place: Callable[[list[Envelope], int, Take], Refused], messages: list[Envelope], first: int, peer: Peer
    ) -> Refused:
        """Place messages of a peer, and show them to who watches."""
        watchers = self._routes.watchers
        if not watchers.is_on:
            return self._measured(place, messages, first)
        wall_ms = self._routes.a_pass.wall_ms
        watchers.came(messages, wall_ms, from_client=peer.is_session)
        refused = self._measured(place, messages, first)
        watchers.refused(refused, wall_ms, from_client=peer.is_session)
        return refused

    def _measured(
        self, place: Callable[[list[Envelope], int, Take], Refused], messages: list[Envelope], first: int
    ) -> Refused:
        """Place messages; of the first frame of a pass, measure any one of them, as if it came in a frame alone."""
        if self._timed is not None:
            return place(messages, first, self._take)
        at = int(random() * len(messages))  # noqa: S311 (which one is measured is no secret)
        refused = place(messages[:at], first, self._take) if at else []
        self._timed = timed = TimedTurn(self._take)
        refused += place(messages[at : at + 1], first + at, timed)
        self._routed_ns = (timed.began_ns or monotonic_ns()) - self._read_ns
        if rest := messages[at + 1 :]:
            refused += place(rest, first + at + 1, self._take)
        return refused
