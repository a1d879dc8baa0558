"""What is due every 200 ms whether or not anything came: states and hellos said again, retries, expiries, probes."""

from collections.abc import Callable
from time import monotonic_ns

from workers.commit.committer import Committer
from workers.loop.shard import Shard
from workers.peers.peer import Peer

# Of a peer that waits for so many ticks for messages to be taken which have not come, they are asked for again.
STALLED_TICKS = 10
# Ticks between two looks at what waits for agents that run no turns, and at clients that may be gone without a word.
LOOK_EVERY = 10


class Maintenance:
    """Owned by the worker's loop. session_ended: what the worker does when a client is gone."""

    def __init__(self, shard: Shard, committer: Committer, session_ended: Callable[[int], None]) -> None:
        self._shard = shard
        self._durable = shard.durable
        self._committer = committer
        self._session_ended = session_ended
        self._ticks = 0

    def tick(self, *, more: bool) -> None:
        """Do what is due. more: the inlet may hold frames, so that nothing is taken for missing."""
        shard, dispatcher, now_ns = self._shard, self._shard.dispatcher, monotonic_ns()
        self._ticks += 1
        self._durable.journal.served.go_on(now_ns)
        for message in shard.backlogs.expired(now_ns):
            shard.routes.expire(message)
        for agent, entries in self._durable.retries.due(now_ns):
            dispatcher.put_back(agent, entries)
        for agent in self._durable.attempts.close_breakers(now_ns) + dispatcher.far.due(now_ns):
            dispatcher.resume(agent)
        shard.turns.rest()
        self._durable.greetings.tend()
        self._durable.journal.conversations.tick(self._durable.journal.commit)
        if self._ticks % LOOK_EVERY == 0:
            self._look_around(now_ns)
        shard.peers.share_unread(self._durable.outboxes.bytes_for)
        for peer in list(shard.peers.by_number.values()):
            if peer.durable is not None and peer.durable.incoming.stalled >= STALLED_TICKS and not more:
                peer.durable.incoming.ask_for_missing()  # nothing is lost on this lane: the next hello asks for it
            _say_again(peer)
        self._committer.tend()

    def _look_around(self, now_ns: int) -> None:
        """What waits too long for an agent that runs no turns expires; what is for a client that is gone is dead."""
        for session in self._durable.outboxes.ended():
            self._session_ended(session)
        shard, far = self._shard, self._shard.dispatcher.far
        for agent in shard.registry.agents.values():
            rests = agent.holds or far.keeps_back(agent.agent_id)
            if rests and agent.mailbox is not None and agent.mailbox.depth:
                is_late = self._durable.attempts.is_late
                for message, _, _, _, delivery, _ in shard.dispatcher.expired(agent, now_ns, is_late):
                    shard.turns.expire(agent, message, delivery)
                shard.dispatcher.leave(agent, 0, shard.pressure.room)  # what expired has left its places


def _say_again(peer: Peer) -> None:
    """Tell how the links stand, in case it was lost, and then what found no room before."""
    peer.say_how_far()
    if peer.link.open or peer.link.changed or peer.full:
        peer.send_state()
    if peer.durable is not None and (peer.durable.open or peer.durable.changed or peer.full):
        peer.send_durable_state()
    peer.send_answers()
