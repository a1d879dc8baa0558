"""What waits on disk is read when memory has room: one read at a time, on the store's thread, while passes go on."""

import asyncio
from collections.abc import Callable
from time import monotonic_ns

from caxton.acl.envelope import called
from caxton.delivery.dead_letter import Reason
from caxton.delivery.retry_reason import RetryReason
from caxton.errors import AgentNotFound, WasmExecutionFailed
from caxton.ids import SESSION_BIT
from caxton.store.recovered import InUnfinished, StoredAt
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import Waiting
from workers.agents.delivery import DURABLE_ROOT, ROW_SPAN, Delivery, StoredRow
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent, Registry
from workers.durable.disk import Page
from workers.durable.lane import DurableLane
from workers.durable.suspects import MOST_DEATHS
from workers.queues.dispatcher import Dispatcher

# Rows of so many bytes are read at a time, and one row more.
READ_BYTES = 4 << 20


class Paging:
    """Owned by the worker's loop. begin: lets a pass begin that what is read joins; wake: lets it run soon.

    begun_ns: since when the read under way takes (monotonic), 0 while there is none.

    What fails in the file is raised by `run`, and ends the process.
    """

    def __init__(
        self,
        store: ShardStore,
        registry: Registry,
        dispatcher: Dispatcher,
        lane: DurableLane,
        begin: Callable[[], object],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._dispatcher = dispatcher
        self._lane = lane
        self._begin = begin
        self._wake = wake
        self._wanted = asyncio.Event()
        self.begun_ns = 0

    def poke(self) -> None:
        """Memory may have room for some of what waits on disk."""
        if self._lane.disk.messages:
            self._wanted.set()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while await self.read():
                self._wake()

    async def read(self) -> bool:
        """Read what there is room for; False when there was nothing of the kind. Raises StorageError."""
        pages = self._lane.disk.pages()
        if not pages:
            return False
        places = [divmod(place, ROW_SPAN) for page in pages for place in page.places]
        self.begun_ns = monotonic_ns()
        found = await self._store.waiting(places, READ_BYTES)
        self.begun_ns = 0
        self._begin()
        start = 0
        for page in pages:
            messages = found[start : start + len(page.places)]
            start += len(messages)
            self._lane.disk.took(page, messages)
            for place, waiting in zip(page.places, messages, strict=False):  # the rest of a page is read later
                self._take(page, place, waiting)
        return True

    def _take(self, page: Page, place: int, waiting: Waiting) -> None:
        lane, receiver, at = self._lane, page.mailbox.receiver, InUnfinished(*divmod(place, ROW_SPAN))
        journal, agent = lane.journal, self._registry.find(receiver)
        delivery = delivery_of(at, waiting, journal.rows, journal.file, earlier=at.number < journal.first_number)
        if page.mailbox.ended is not None:
            error, reason = page.mailbox.ended
            lane.attempts.bury(waiting.message, error, delivery, reason=reason)
        elif agent is None:
            lane.attempts.bury(waiting.message, AgentNotFound(called(waiting.message)), delivery)
        elif not is_poison(lane, agent, delivery):
            entry = entry_of(agent.take_in(delivery))
            self._dispatcher.put(agent, agent.mailbox or agent.open_mailbox(), entry)


def is_poison(lane: DurableLane, agent: Agent, delivery: Delivery) -> bool:
    """Let a message that workers died of too often be a dead letter; False for any other."""
    deaths = lane.suspects.deaths(delivery)
    if deaths < MOST_DEATHS:
        return False
    error = WasmExecutionFailed(agent.label, "crash", f"this shard's worker died of it {deaths} times")
    delivery.attempts = max(delivery.attempts, deaths)
    delivery.retry_reasons += (RetryReason.AGENT_UNAVAILABLE.value,) * deaths
    lane.attempts.bury(delivery.message, error, delivery, reason=Reason.POISON, agent=agent)
    return True


def delivery_of(
    at: StoredAt, waiting: Waiting, rows: dict[int, StoredRow], file: int, *, earlier: bool = True
) -> Delivery:
    """Return the delivery of a message that stands in the file. earlier: another life of the worker wrote it there."""
    place = at.place if isinstance(at, InUnfinished) else 0
    sequence, sender = at.number * ROW_SPAN + place | DURABLE_ROOT, waiting.message.sender
    origin = 0 if sender >= SESSION_BIT else sender
    delivery = Delivery(waiting.message, file, sequence, origin)
    delivery.came_ms, delivery.due_ms = waiting.came_ms, waiting.due_ms
    delivery.attempts, delivery.retry_reasons = waiting.attempts, waiting.retry_reasons
    delivery.deliveries = waiting.deliveries
    if earlier:  # that life may have begun another turn
        delivery.deliveries = max(waiting.deliveries, waiting.attempts) + 1
    if isinstance(at, InUnfinished):
        delivery.row, delivery.index = rows[at.number], at.place
    else:
        delivery.number, delivery.from_row, delivery.from_place = at.number, at.from_row, at.from_place
    return delivery
