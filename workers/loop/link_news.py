"""What other workers and clients say of their links: credit, room in their agents, what they took; who left."""

from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState
from workers.loop.shard import Shard
from workers.peers.peer import Peer


class LinkNews:
    """Takes in what is heard of the links of a shard, and lets go on whoever waited for it."""

    def __init__(self, shard: Shard) -> None:
        self._peers = shard.peers
        self._routes = shard.routes
        self._greetings = shard.durable.greetings
        self._serve = shard.serve
        self._let_roots_begin = shard.let_roots_begin

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link of a lane stands: credit and room may have come."""
        if state.lane:
            self._heard_durable_state(peer, state)
            return
        if peer.link.on_state(state) is None:
            return
        if not peer.is_session:
            self._go_on(peer.number)
        elif peer.lags:
            self._peers.heed_unread(peer)
        if peer.link.changed:
            peer.send_state()

    def _heard_durable_state(self, peer: Peer, state: LinkState) -> None:
        outbox = self._greetings.heard_state(peer, state)
        if outbox is not None and not outbox.is_session:
            self._let_roots_begin()
        if outbox is not None and peer.durable is not None and peer.durable.changed:
            peer.send_durable_state()

    def _go_on(self, number: int) -> None:
        if number in self._peers.workers:
            self._routes.go_on(self._peers.workers.index(number))
            self._let_roots_begin()

    def heard_hello(self, peer: Peer, hello: Hello) -> bool:
        """A peer is there, and says what it took on the durable lane. False for what no peer says."""
        return self._greetings.heard_hello(peer, hello)

    def heard_workers(self, incarnations: list[int]) -> None:
        """Other workers may have come or gone."""
        for number in self._serve(incarnations):
            self._greetings.left(number)
        for shard in range(len(incarnations)):
            self._routes.go_on(shard)
        self._greetings.tend()
