"""Who stands at the other end of the ways and sources of the durable lane: hellos and states of lane 1."""

import logging
from collections.abc import Callable

from caxton.ids import SESSION_BIT
from caxton.links.durable import DurableIncoming, DurableLink
from caxton.links.greeting import hear, say
from caxton.wire.codec import CONTROL
from caxton.wire.control import Hello, LinkState
from workers.journal import Journal, Source
from workers.outbox import Way
from workers.peers import MOST_WINDOW, WINDOW_BYTES, Peer, Peers
from workers.ways import Ways

log = logging.getLogger("caxton.worker")


class Greetings:
    """Who speaks for which file, and what it was told.

    sources: the incoming sides, by file. quiet: tells whether no commit is gathered or under way. closed: why nothing
    durable is taken now, or "".
    """

    quiet: Callable[[], bool]

    def __init__(self, peers: Peers, ways: Ways, journal: Journal) -> None:
        self._peers = peers
        self._ways = ways
        self._journal = journal
        self.sources: dict[int, Source] = {}
        self.closed = ""

    def restore(self, file: int, taken: int, refusals: bytes | None) -> None:
        """Take over what the file knows of a source."""
        self.sources[file] = Source(file, _incoming(file, taken, refusals))

    def source_of(self, peer: Peer) -> Source | None:
        """Return the source that a peer speaks for, None before its hello, or when another speaks for it by now."""
        source = self.sources.get(peer.file) if peer.durable is not None else None
        return source if source is not None and source.peer_number == peer.number else None

    def heard_hello(self, peer: Peer, hello: Hello) -> bool:
        """A peer is there: it says what it took, and hears what was taken of it. False for what cannot be."""
        target = self._target_of(peer)
        if target is None:
            return True  # the topology that names it is on its way, and it repeats itself
        if peer.is_session and hello.file != peer.number:
            return False
        way = self._ways.of(target)
        heard = hear(hello, self._journal.file, way.outgoing.target_file)
        if heard.new_space:
            if not self.quiet():
                return True  # it repeats itself, and then there is nothing under way that has the old numbers
            self._begin_anew(way, hello.file)
        if peer.durable is None or peer.file != hello.file:
            self._meet(peer, way, hello.file)
        if heard.greets:
            self._greet(way, hello)
        if heard.answer:
            self.say(peer)
        return True

    def _greet(self, way: Way, hello: Hello) -> None:
        outgoing, absurd = way.outgoing, way.outgoing.absurd
        if outgoing.greet(hello.taken, hello.taken_bytes):
            way.rewind()
            way.send(self._peers.own)
        elif outgoing.absurd > absurd == 0:  # it repeats itself; we do not
            log.error(
                "%s took messages up to %d of this shard, which numbered %d and heard of %d: one of the two files is"
                " not what it was; what is for it waits in the outbox until that file is restored",
                f"session {way.target:016x}" if way.is_session else f"shard {way.target}",
                hello.taken,
                outgoing.emitted,
                outgoing.acknowledged,
            )

    def say(self, peer: Peer) -> None:
        """Tell a peer what was taken of it, and ask for its word if it is wanted."""
        if peer.durable is None:
            hello = Hello(peer.own, peer.mark, peer.number, self._journal.file, 0, 0, 0, answer_wanted=True)
        else:
            ends = peer.own, peer.mark, peer.number
            if self.closed:
                peer.send_durable_state()  # before the word that would let its messages come
            hello = say(ends, self._journal.file, peer.file, peer.durable.outgoing, peer.durable.incoming)
        peer.tell(CONTROL.encode(hello))

    def heard_state(self, peer: Peer, state: LinkState) -> Way | None:
        """A peer says how the durable link stands; returns the way that may have room again, None for no news."""
        link = peer.durable
        way = self._way_to(peer)
        if link is None or way is None or way.peer is not peer:
            return None
        unseen = link.incoming.refusals_waiting
        if link.on_state(state) is None:
            return None
        self._settle(way)
        source = self.source_of(peer)
        if source is not None and link.incoming.refusals_waiting != unseen:
            self._journal.confirmed(source)
        if link.incoming.hello_due:
            self.say(peer)
        return way

    def tend(self) -> None:
        """Say again what may have been lost: hellos to who has not greeted us, frames that found no room."""
        for peer in list(self._peers.by_number.values()):
            link = peer.durable
            if link is None:
                if not peer.is_session:
                    self.say(peer)
            elif link.hello_due:
                self.say(peer)
        self._ways.send_all(self._peers.own)

    def left(self, shard: int) -> None:
        """The worker of a shard is gone, or another one: what is for it waits until that one says hello."""
        way = self._ways.by_target.get(shard)
        if way is not None and way.peer is not None and way.peer.number not in self._peers.by_number:
            way.peer = None
            way.outgoing.meet()

    def close(self, reason: str) -> None:
        """Take nothing new from anybody ("" : take again), and let them know."""
        self.closed = reason
        for source in self.sources.values():
            source.incoming.closed = reason
            peer = self._peers.find(source.peer_number)
            if peer is not None and peer.durable is not None:
                peer.send_durable_state()
                if peer.durable.incoming.hello_due:
                    self.say(peer)

    def _settle(self, way: Way) -> None:
        settled = way.settle()
        if settled:
            commit = self._journal.commit
            commit.settled += [packed.number for packed in settled]
            commit.targets[way.target] = way.row()
            if way.is_session:
                commit.counts["acknowledged_sessions"] += sum(p.last - p.first + 1 for p in settled)

    def _meet(self, peer: Peer, way: Way, file: int) -> None:
        source = self.sources.get(file)
        if source is None:
            source = self.sources[file] = Source(file, _incoming(file, 0, None))
            source.incoming.closed = self.closed
        source.peer_number = peer.number
        peer.file = file
        peer.durable = DurableLink(way.outgoing, source.incoming)
        peer.durable.meet()
        way.peer = peer
        if way.outgoing.target_file != file:
            way.outgoing.target_file = file
            self._journal.commit.targets[way.target] = way.row()
        self._peers.share_pool()

    def _begin_anew(self, way: Way, file: int) -> None:
        """The other's store is another one: what the old one had not acknowledged goes to the new one."""
        log.warning(
            "shard %d has another store than before (%016x); %d messages that the old one did not acknowledge go to it",
            way.target,
            file,
            way.messages,
        )
        self._journal.counts["moved_to_new_store"] += way.messages
        self._journal.counts["emitted_before"] += way.row_acknowledged
        self._journal.renumber(way)

    def _way_to(self, peer: Peer) -> Way | None:
        target = self._target_of(peer)
        return None if target is None else self._ways.by_target.get(target)

    def _target_of(self, peer: Peer) -> int | None:
        if peer.is_session:
            return peer.number
        workers = self._peers.workers
        return workers.index(peer.number) if peer.number in workers else None


def _incoming(file: int, taken: int, refusals: bytes | None) -> DurableIncoming:
    is_session = file >= SESSION_BIT
    return DurableIncoming(
        taken=taken,
        refusals=refusals,
        window_messages=MOST_WINDOW if is_session else None,
        window_bytes=WINDOW_BYTES if is_session else None,
    )
