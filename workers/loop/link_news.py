"""What other workers and clients say of their links: credit, room in their agents, what they took; who left."""

from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState
from workers.commit.outboxes import MOST_WAITING
from workers.loop.shard import Shard
from workers.peers.peer import Peer
from workers.queues.parking import shard_key


class LinkNews:
    """Takes in what is heard of the links of a shard, and lets go on whoever waited for it."""

    def __init__(self, shard: Shard) -> None:
        self._peers = shard.peers
        self._parked = shard.parked_effects
        self._greetings = shard.durable.greetings
        self._serve = shard.serve

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link of a lane stands: credit and room may have come."""
        if state.lane:
            self._heard_durable_state(peer, state)
            return
        was_full = peer.link.full
        if peer.link.on_state(state) is None:
            return
        if self._parked.waits:
            for key in was_full - peer.link.full:
                self._parked.retry(key)
            self._parked.retry(peer.number)
        if peer.link.changed:
            peer.send_state()

    def _heard_durable_state(self, peer: Peer, state: LinkState) -> None:
        was_full = peer.durable.full if peer.durable is not None else frozenset()
        outbox = self._greetings.heard_state(peer, state)
        if outbox is None or peer.durable is None:
            return
        if self._parked.waits:
            for key in was_full - peer.durable.full:
                self._parked.retry(key)
            if not outbox.is_session and outbox.messages < MOST_WAITING:
                self._parked.retry(shard_key(outbox.target))
        if peer.durable.changed:
            peer.send_durable_state()

    def heard_hello(self, peer: Peer, hello: Hello) -> bool:
        """A peer is there, and says what it took on the durable lane. False for what no peer says."""
        return self._greetings.heard_hello(peer, hello)

    def heard_workers(self, incarnations: list[int]) -> None:
        """Other workers may have come or gone."""
        for number in self._serve(incarnations):
            self._greetings.left(number)
            self._parked.retry(shard_key(number))
        self._greetings.tend()
        self._parked.retry_lost()
