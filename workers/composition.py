"""Who knows whom in a shard. A worker's process composes it of what it opened, a test of what it plays itself."""

from collections.abc import Callable
from dataclasses import dataclass

from caxton.config.conversations import DEFAULT_CONVERSATIONS, ConversationSettings
from caxton.config.delivery import DeliverySettings
from caxton.delivery.causes import Works
from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.delivery.retry import RetryPolicy
from caxton.ids import AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.shard_store import ShardStore
from workers.agents.registry import Registry
from workers.capabilities.alternatives import Alternatives
from workers.capabilities.line import CapabilityLine
from workers.commit.greetings import Greetings
from workers.commit.journal import Journal
from workers.commit.outboxes import Outboxes
from workers.durable.advertising import Advertising
from workers.durable.attempts import Attempts
from workers.durable.dead_letters import DeadLetters
from workers.durable.disk import Disk
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.lane import DurableLane
from workers.durable.placing import DurablePlacing
from workers.durable.recovery import Recovery
from workers.durable.redirects import Redirects
from workers.durable.retries import Retries
from workers.durable.routes import DurableRoutes
from workers.durable.suspects import Suspects
from workers.loop.module_uses import ModuleUses
from workers.loop.shard import Shard
from workers.operations.lifecycle import Lifecycle
from workers.peers.peers import Peers
from workers.queues.admission import Admission
from workers.queues.backlogs import Backlogs
from workers.queues.bounds import OF_MIB
from workers.queues.claims import Claims
from workers.queues.dispatcher import Dispatcher
from workers.queues.far_shards import FarShards
from workers.queues.pressure import Pressure
from workers.queues.shares import RootShares, Shares
from workers.queues.turn_time import TurnTime
from workers.sandbox.modules import Modules
from workers.turns.routes import Routes
from workers.turns.turn import Turns
from workers.volatile.placing import Placing
from workers.watching.watching import Watching


@dataclass(frozen=True)
class Ground:
    """What a shard stands on. number: the shard's. dead_letter_capacity: this shard's part of it.

    lives: tells whether a session's client still holds its lock. dice: numbers from 0 to 1, for the jitter of retries.
    watching: what is kept for whoever watches.
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
    watching: Watching
    conversations: ConversationSettings = DEFAULT_CONVERSATIONS


def compose(ground: Ground, make_turns: Callable[[Routes, DurableLane], Turns]) -> Shard:
    """Return a shard with nothing in it yet. make_turns: who runs the turns, given where their effects go."""
    registry = Registry()
    dispatcher = Dispatcher(TurnTime(), FarShards(registry.agents))
    backlogs, pressure = Backlogs(dispatcher), Pressure(ground.peers)
    table, number = ground.table, ground.number
    journal = Journal(
        ground.store.file_id,
        ground.conversations,
        lambda agent: table.shard_of(agent) == number,
        ground.delivery.most_states_mib << 20,
    )
    root_shares = RootShares(registry, dispatcher, ground.peers.principals)
    admission = Admission(dispatcher, backlogs, pressure, ground.number, root_shares)
    works = Works()
    claims = Claims(ground.peers, works)
    placing = Placing(registry, dispatcher, admission, journal.conversations, claims, number, table)
    active = journal.conversations.table.activity.of
    capabilities = CapabilityLine(registry, ground.peers, number, table, ground.dice, active)
    alternatives = Alternatives(capabilities)
    routes = Routes(
        registry,
        ground.peers,
        placing,
        admission,
        backlogs,
        number,
        ground.names,
        alternatives,
        journal.conversations,
        works,
        ground.watching.watchers,
    )
    routes.pick, routes.everyone = capabilities.pick, capabilities.everyone
    capabilities.recent = journal.conversations.recent
    durable = _durable_lane(ground, registry, dispatcher, placing, admission, routes, alternatives, journal)
    has_ended, lives = ground.peers.has_ended, ground.lives
    journal.conversations.rules.has_left = lambda session: has_ended(session) or not lives(session)
    routes.advertising = Advertising(registry, journal)
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
        removed=ground.watching.removed,
        events=ground.watching.events,
    )
    return Shard(
        number=ground.number,
        incarnation=ground.peers.own,
        registry=registry,
        capabilities=capabilities,
        alternatives=alternatives,
        peers=ground.peers,
        placing=placing,
        claims=claims,
        dispatcher=dispatcher,
        backlogs=backlogs,
        routes=routes,
        turns=turns,
        lifecycle=lifecycle,
        pressure=pressure,
        root_shares=root_shares,
        book=ground.book,
        store=ground.store,
        durable=durable,
        recovery=Recovery(durable, registry, ground.lives),
        module_uses=ModuleUses(registry, ground.modules),
        watching=ground.watching,
    )


def _durable_lane(  # noqa: PLR0913, PLR0917 (what it is put together from)
    ground: Ground,
    registry: Registry,
    dispatcher: Dispatcher,
    placing: Placing,
    admission: Admission,
    routes: Routes,
    alternatives: Alternatives,
    journal: Journal,
) -> DurableLane:
    settings = ground.delivery
    retries, suspects = Retries(), Suspects(journal)
    here = ground.peers.principals
    dead_letters = DeadLetters(journal, ground.dead_letter_capacity, evicting=settings.dead_letter_eviction, here=here)
    keys = IdempotencyKeys(journal, routes.ids, here)
    attempts = Attempts(
        journal,
        retries,
        dead_letters,
        keys,
        suspects,
        RetryPolicy(settings.retry_delay_ms, settings.retry_factor, settings.max_retries),
        lambda: CircuitBreaker(settings.breaker_threshold, settings.breaker_timeout_s),
        ground.dice,
        settings.retention_ms,
        Redirects(journal, dead_letters, alternatives),
    )
    outboxes = Outboxes(ground.lives, ground.peers.has_ended)
    most_on_disk, of_one = settings.effects_on_disk_mib * OF_MIB, settings.of_one_on_disk_mib * OF_MIB
    disk = Disk(registry, dispatcher, admission, journal, Shares(here, most_on_disk), of_one)
    durable_placing = DurablePlacing(
        registry, placing, admission, dispatcher, journal, dead_letters, keys, suspects, disk
    )
    durable_routes = DurableRoutes(
        registry,
        durable_placing,
        journal,
        outboxes,
        attempts,
        ground.table.owners,
        ground.number,
        dispatcher.far,
        ground.watching.watchers,
    )
    # The one circle: what cannot be sent fails, and a failure is sent.
    attempts.events = ground.watching.events
    attempts.failing, attempts.redirects.sender, routes.durable = routes, routes, durable_routes
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
        disk=disk,
    )
