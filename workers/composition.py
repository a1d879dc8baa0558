"""Who knows whom in a shard. A worker's process composes it of what it opened, a test of what it plays itself."""

from collections.abc import Callable
from dataclasses import dataclass

from caxton.config.delivery import DeliverySettings
from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.delivery.retry import RetryPolicy
from caxton.ids import AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.shard_store import ShardStore
from workers.agents.registry import Registry
from workers.commit.greetings import Greetings
from workers.commit.journal import Journal
from workers.commit.outboxes import Outboxes
from workers.durable.attempts import Attempts
from workers.durable.dead_letters import DeadLetters
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.lane import DurableLane
from workers.durable.placing import DurablePlacing
from workers.durable.recovery import Recovery
from workers.durable.retries import Retries
from workers.durable.routes import DurableRoutes
from workers.durable.suspects import Suspects
from workers.loop.module_uses import ModuleUses
from workers.loop.shard import Shard
from workers.operations.lifecycle import Lifecycle
from workers.peers.peers import Peers
from workers.queues.admission import Admission
from workers.queues.backlogs import Backlogs
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.sandbox.modules import Modules
from workers.turns.routes import Routes
from workers.turns.turn import Turns
from workers.volatile.placing import Placing


@dataclass(frozen=True)
class Ground:
    """What a shard stands on. number: the shard's. dead_letter_capacity: this shard's part of it.

    lives: tells whether a session's client still holds its lock. dice: numbers from 0 to 1, for the jitter of retries.
    """

    number: int
    table: SlotTable
    names: AgentNames
    peers: Peers
    book: Book
    store: ShardStore
    stored: StoredAgents
    modules: Modules
    delivery: DeliverySettings
    dead_letter_capacity: int
    lives: Callable[[int], bool]
    dice: Callable[[], float]


def compose(ground: Ground, make_turns: Callable[[Routes, DurableLane], Turns]) -> Shard:
    """Return a shard with nothing in it yet. make_turns: who runs the turns, given where their effects go."""
    registry, dispatcher = Registry(), Dispatcher()
    backlogs, pressure = Backlogs(dispatcher), Pressure(ground.peers)
    admission = Admission(dispatcher, backlogs, pressure, ground.number)
    placing = Placing(registry, dispatcher, admission, ground.number, ground.table)
    routes = Routes(registry, ground.peers, placing, admission, backlogs, ground.number)
    durable = _durable_lane(ground, registry, dispatcher, placing, admission, routes)
    turns = make_turns(routes, durable)
    lifecycle = Lifecycle(
        registry=registry,
        stored=ground.stored,
        modules=ground.modules,
        names=ground.names,
        turns=turns,
        dispatcher=dispatcher,
        routes=routes,
        pressure=pressure,
        durable=durable,
        shard=ground.number,
        table=ground.table,
    )
    return Shard(
        number=ground.number,
        incarnation=ground.peers.own,
        registry=registry,
        peers=ground.peers,
        placing=placing,
        dispatcher=dispatcher,
        backlogs=backlogs,
        routes=routes,
        turns=turns,
        lifecycle=lifecycle,
        pressure=pressure,
        book=ground.book,
        store=ground.store,
        durable=durable,
        recovery=Recovery(durable, registry, ground.lives),
        module_uses=ModuleUses(registry, ground.modules),
    )


def _durable_lane(
    ground: Ground, registry: Registry, dispatcher: Dispatcher, placing: Placing, admission: Admission, routes: Routes
) -> DurableLane:
    settings = ground.delivery
    journal = Journal(ground.store.file_id)
    retries, suspects = Retries(), Suspects(journal)
    dead_letters = DeadLetters(journal, ground.dead_letter_capacity, evicting=settings.dead_letter_eviction)
    keys = IdempotencyKeys(journal, routes.ids)
    attempts = Attempts(
        journal,
        retries,
        dead_letters,
        keys,
        suspects,
        RetryPolicy(settings.retry_delay_ms, settings.retry_factor),
        lambda: CircuitBreaker(settings.breaker_threshold, settings.breaker_timeout_s),
        ground.dice,
    )
    outboxes = Outboxes(ground.lives, ground.peers.has_ended)
    durable_placing = DurablePlacing(registry, placing, admission, dispatcher, journal, dead_letters, keys, suspects)
    durable_routes = DurableRoutes(
        registry, durable_placing, journal, outboxes, attempts, ground.table.owners, ground.number
    )
    # The one circle: what cannot be sent fails, and a failure is sent.
    attempts.failing, routes.durable = routes, durable_routes
    return DurableLane(
        journal=journal,
        outboxes=outboxes,
        greetings=Greetings(ground.peers, outboxes, journal),
        placing=durable_placing,
        routes=durable_routes,
        attempts=attempts,
        dead_letters=dead_letters,
        keys=keys,
        retries=retries,
        suspects=suspects,
    )
