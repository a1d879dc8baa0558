"""Who stands at the other end of the outboxes and sources of the durable lane: hellos and states of lane 1."""

import logging

from caxton.delivery.windows import MOST_WINDOW
from caxton.ids import SESSION_BIT
from caxton.links.credit import FIRST_MESSAGES, FIRST_STORED
from caxton.links.durable import DurableIncoming, DurableLink
from caxton.links.greeting import hear, say
from caxton.wire.codec import CONTROL
from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState
from workers.commit.journal import Journal, Source
from workers.commit.outbox import Outbox
from workers.commit.outboxes import Outboxes
from workers.peers.peer import WINDOW_BYTES, Peer
from workers.peers.peers import Peers

log = logging.getLogger("caxton.worker")


class Greetings:
    """Who speaks for which file, and what it was told.

    sources: the incoming sides, by file. closed: why nothing
    durable is taken now, or "".
    """

    def __init__(self, peers: Peers, outboxes: Outboxes, journal: Journal) -> None:
        self._peers = peers
        self._outboxes = outboxes
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
        outbox = self._outboxes.of(target)
        heard = hear(hello, self._journal.file, outbox.outgoing.target_file)
        if heard.new_space:
            if not self._journal.quiet:
                return True  # it repeats itself, and then there is nothing under way that has the old numbers
            self._begin_anew(outbox, hello.file)
        if peer.durable is None or peer.file != hello.file:
            self._meet(peer, outbox, hello.file)
        was_greeted = outbox.outgoing.greeted
        if heard.greets:
            self._greet(outbox, hello)
        if heard.answer:
            self.say(peer)
            if was_greeted:
                peer.send_durable_state()  # who asks again may have missed one that says that all is well
        return True

    def _greet(self, outbox: Outbox, hello: Hello) -> None:
        outgoing, absurd = outbox.outgoing, outbox.outgoing.absurd
        if outgoing.greet(hello.taken, hello.taken_bytes):
            outbox.rewind()
            outbox.send(self._peers.own)
        elif outgoing.absurd > absurd == 0:  # it repeats itself; we do not
            log.error(
                "%s took messages up to %d of this shard, which numbered %d and heard of %d: one of the two files is"
                " not what it was; what is for it waits in the outbox until that file is restored",
                f"session {outbox.target:016x}" if outbox.is_session else f"shard {outbox.target}",
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

    def heard_state(self, peer: Peer, state: LinkState) -> Outbox | None:
        """A peer says how the durable link stands; returns the way that may have room again, None for no news."""
        link = peer.durable
        outbox = self._outbox_to(peer)
        if link is None or outbox is None or outbox.peer is not peer:
            return None
        unseen = link.incoming.refusals_waiting
        if link.on_state(state) is None:
            return None
        self._settle(outbox)
        outbox.send(self._peers.own)
        source = self.source_of(peer)
        if source is not None and link.incoming.refusals_waiting != unseen:
            self._journal.confirmed(source)
        if link.incoming.hello_due:
            self.say(peer)
        return outbox

    def tend(self) -> None:
        """Say again what may have been lost: hellos to who has not greeted us, frames that found no room."""
        for peer in list(self._peers.by_number.values()):
            link = peer.durable
            if link is None:
                if not peer.is_session:
                    self.say(peer)
            elif link.hello_due:
                self.say(peer)
        self._outboxes.send_all(self._peers.own)

    def left(self, shard: int) -> None:
        """The worker of a shard is gone, or another one: what is for it waits until that one says hello."""
        outbox = self._outboxes.by_target.get(shard)
        if outbox is not None and outbox.peer is not None and outbox.peer.number not in self._peers.by_number:
            outbox.peer = None
            outbox.outgoing.meet()

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

    def _settle(self, outbox: Outbox) -> None:
        settled = outbox.settle()
        if settled:
            commit = self._journal.commit
            commit.settled += [packed.number for packed in settled]
            commit.targets[outbox.target] = outbox.row()
            if outbox.is_session:
                commit.counts["acknowledged_sessions"] += sum(p.last - p.first + 1 for p in settled)

    def _meet(self, peer: Peer, outbox: Outbox, file: int) -> None:
        source = self.sources.get(file)
        if source is None:
            source = self.sources[file] = Source(file, _incoming(file, 0, None))
            source.incoming.closed = self.closed
        source.peer_number = peer.number
        peer.file = file
        peer.durable = DurableLink(outbox.outgoing, source.incoming)
        peer.durable.meet()
        outbox.peer = peer
        if outbox.outgoing.target_file != file:
            outbox.outgoing.target_file = file
            self._journal.commit.targets[outbox.target] = outbox.row()
        self._peers.share_pool()
        peer.announce()

    def _begin_anew(self, outbox: Outbox, file: int) -> None:
        """The other's store is another one: what the old one had not acknowledged goes to the new one."""
        log.warning(
            "shard %d has another store than before (%016x); %d messages that the old one did not acknowledge go to it",
            outbox.target,
            file,
            outbox.messages,
        )
        self._journal.counts["moved_to_new_store"] += outbox.messages
        self._journal.counts["emitted_before"] += outbox.row_acknowledged
        self._journal.renumber(outbox)

    def _outbox_to(self, peer: Peer) -> Outbox | None:
        target = self._target_of(peer)
        return None if target is None else self._outboxes.by_target.get(target)

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
        window_messages=MOST_WINDOW,
        window_bytes=WINDOW_BYTES,
        first_messages=FIRST_MESSAGES if is_session else FIRST_STORED,
    )
