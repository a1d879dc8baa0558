"""The shard of one worker, put together."""

from collections.abc import Callable
from dataclasses import dataclass, field

from caxton.store.books import Book
from caxton.store.shard_store import ShardStore
from workers.agents.registry import Registry
from workers.capabilities.alternatives import Alternatives
from workers.capabilities.line import CapabilityLine
from workers.durable.lane import DurableLane
from workers.durable.recovery import Recovery
from workers.loop.module_uses import ModuleUses
from workers.operations.lifecycle import Lifecycle
from workers.peers.peers import Peers
from workers.queues.backlogs import Backlogs
from workers.queues.bounds import MOST_EFFECTS, MOST_QUEUED, MOST_QUEUED_BYTES, credit_ends
from workers.queues.claims import Claims
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.queues.shares import RootShares
from workers.turns.routes import Routes
from workers.turns.turn import Turns
from workers.volatile.placing import Placing
from workers.watching.watching import Watching

# Rows of ended sessions, and of ended workers, that the book keeps, so that the supervisor can still compare; then the
# oldest goes. With as many sessions that live, and 32 workers, the book has rows for all.
ENDED_KEPT = 1_024


@dataclass
class Shard:
    """Who does what in this worker; made by the composition root, used by the loop."""

    number: int
    incarnation: int
    registry: Registry
    capabilities: CapabilityLine
    alternatives: Alternatives
    peers: Peers
    placing: Placing
    claims: Claims
    dispatcher: Dispatcher
    backlogs: Backlogs
    routes: Routes
    turns: Turns
    lifecycle: Lifecycle
    pressure: Pressure
    root_shares: RootShares
    book: Book
    store: ShardStore
    durable: DurableLane
    recovery: Recovery
    module_uses: ModuleUses
    watching: Watching
    # For how long a message has waited that may have its turn, as it was at the last tick.
    oldest_ms: int = 0
    # Told which client is gone; set by who answers calls, and has something under way beside them.
    on_session_end: Callable[[int], None] = lambda _session: None
    _ended_sessions: list[int] = field(default_factory=list)
    _ended_workers: list[int] = field(default_factory=list)

    def gauges(self) -> dict[str, int]:
        """What the book shows of this moment."""
        return {
            "queued": self.dispatcher.queued - self.dispatcher.durable,
            "pending": self.durable.journal.unfinished,
            "dead_letters": len(self.durable.dead_letters),
            "effects": self.dispatcher.effects,
            "backlog": self.backlogs.messages,
            "on_disk": self.durable.disk.messages,
            "state_bytes": self.durable.journal.states.bytes,
            **self.durable.journal.conversations.table.gauges(),
            "agents": len(self.registry.agents),
            "registered_bytes": self.registry.bytes,
            "undecided": self.alternatives.weight,
            "subscriptions": len(self.capabilities.subscriptions),
            "offers": len(self.capabilities.publication),
            "oldest_ms": self.oldest_ms,
            "instances": self.turns.instances,
            "overruns": self.turns.overruns,
            **self.watching.gauges(),
        }

    def admit(self) -> list[int]:
        """Give or end credit by what waits; returns who is to be told."""
        dispatcher, peers = self.dispatcher, self.peers
        dispatcher.elsewhere = self._under_way() if len(peers.workers) > 1 else 0
        if dispatcher.far.crowded:
            self.let_roots_begin()
        sessions, workers = peers.held_back
        waits = credit_ends(dispatcher.queued, MOST_QUEUED, ended=sessions) or credit_ends(
            dispatcher.queued_bytes, MOST_QUEUED_BYTES, ended=sessions
        )
        return peers.hold_back(sessions=waits, workers=credit_ends(dispatcher.effects, MOST_EFFECTS, ended=workers))

    def let_roots_begin(self) -> None:
        """Let agents go on whose roots have waited for a shard for which little waits by now."""
        far = self.dispatcher.far
        for shard in list(far.crowded):
            if self.routes.has_room_for_roots(shard):
                for agent in far.has_room(shard):
                    self.dispatcher.resume(agent)

    def _under_way(self) -> int:
        """Return how many effects wait for workers that are there."""
        outboxes, count = self.durable.outboxes.by_target, 0
        for shard, number in enumerate(self.peers.workers):
            if number and number != self.incarnation:
                count += self.backlogs.weight(shard)
                outbox = outboxes.get(shard)
                count += 0 if outbox is None else outbox.messages
        return count

    def totals(self) -> dict[str, int]:
        """Every counter of the book, as last gathered."""
        return self.book.totals()

    def end_session(self, session: int) -> None:
        """Forget a client; its row in the book stays for a while."""
        self.peers.end(session)
        self.capabilities.end(session)
        self.watching.end(session)
        self.durable.journal.conversations.rules.left(session)
        self.on_session_end(session)
        self._keep_row(session, self._ended_sessions)

    def serve(self, incarnations: list[int]) -> list[int]:
        """Take over the workers of a topology; returns the shards whose worker is another one now."""
        gone = set(self.peers.workers) - set(incarnations) - {0}
        changed = self.peers.serve(incarnations)
        self.capabilities.serve(incarnations)
        for number in sorted(gone):
            self.capabilities.end(number)
            self._keep_row(number, self._ended_workers)
        return changed

    def _keep_row(self, number: int, ended: list[int]) -> None:
        ended.append(number)
        if len(ended) > ENDED_KEPT:
            self.book.forget(ended.pop(0))
