"""How full everything is that a shard bounds, looked at once a second: what is near its limit is logged and told."""

import logging
import time
from collections.abc import Iterator
from itertools import chain, islice

from caxton.capabilities.publication import MOST_OFFERS
from caxton.capabilities.subscriptions import MOST_SUBSCRIPTIONS
from caxton.delivery.levels import OVER_BELOW, Level, Nearing, NearLimit
from caxton.printable import one_line
from caxton.wire.condition import MOST_NEAR
from workers.agents.registered_bytes import MOST_REGISTERED_BYTES
from workers.capabilities.alternatives import MOST_UNDECIDED
from workers.conversations import table
from workers.durable.dead_letters import MOST_BYTES, SHARES
from workers.durable.idempotency_keys import MOST_ANSWER_BYTES, MOST_KEYS
from workers.loop.calls import MAX_CALLS
from workers.loop.passes import Passes
from workers.loop.shard import Shard
from workers.operations.lifecycle import MOST_AGENTS
from workers.peers.peers import MOST_UNREAD_IN_ALL
from workers.queues.bounds import MOST_EFFECTS, MOST_QUEUED, MOST_QUEUED_BYTES, OF_LINK
from workers.watching.watchers import MOST_WATCHES
from workers.worker_pass import NS_PER_MS

# Heartbeats from one look to the next.
LOOK_EVERY = 5
# Mailboxes that are looked at, of those whose senders were told that they fill.
OF_MAILBOXES = 1_024
_SHOWN = 300
log = logging.getLogger("caxton.worker")


class Levels:
    """Owned by the worker's loop, which looks with every heartbeat."""

    def __init__(self, shard: Shard, passes: Passes) -> None:
        self._shard = shard
        self._passes = passes
        self._nearing = Nearing()
        self._looks = 0
        self._near: list[NearLimit] = []

    def look(self, calls: int) -> list[NearLimit]:
        """Return the limits that were near at the last look, the fullest first. calls: how many are being answered."""
        if self._looks % LOOK_EVERY == 0:
            self._shard.root_shares.look()
            levels = chain(self._of_lane(), self._of_memory(calls), self._of_agents(), self._of_principals())
            near, new = self._nearing.look(levels, time.time_ns() // NS_PER_MS)
            self._near = near[:MOST_NEAR]
            for one in new:
                self._passes.present.counts["limits_near"] += 1
                log.warning("shard %d, limit near: %s", self._shard.number, one_line(one.text, _SHOWN))
        self._looks += 1
        return self._near

    def _of_lane(self) -> Iterator[Level]:
        """What the durable lane keeps."""
        durable = self._shard.durable
        letters, disk, outbox = durable.dead_letters, durable.disk, durable.outboxes.fullest()
        keys, answer_bytes = durable.keys.in_use()
        if not letters.evicting:
            yield Level("dead_letters", len(letters), letters.capacity)
            yield Level("dead_letter_bytes", letters.bytes, MOST_BYTES)
        yield Level("keys", keys, MOST_KEYS)
        yield Level("answers", answer_bytes, MOST_ANSWER_BYTES)
        yield Level("effects_on_disk", disk.weight, disk.most)
        yield Level("outbox", outbox.holds, outbox.most, outbox.of)
        yield Level("states", durable.journal.states.bytes, durable.journal.states.most)

    def _of_memory(self, calls: int) -> Iterator[Level]:
        """What is in memory alone."""
        shard = self._shard
        dispatcher, conversations = shard.dispatcher, shard.durable.journal.conversations.table
        yield Level("mailboxes", dispatcher.queued, MOST_QUEUED)
        yield Level("mailbox_bytes", dispatcher.queued_bytes, MOST_QUEUED_BYTES)
        yield Level("effects", dispatcher.effects, MOST_EFFECTS)
        for number in range(len(shard.peers.workers)):
            yield Level("backlog", shard.backlogs.weight(number), OF_LINK, f"shard {number}")
        yield Level("unread", shard.peers.unread_bytes(shard.durable.outboxes.bytes_for), MOST_UNREAD_IN_ALL)
        yield Level("calls", calls, MAX_CALLS)
        yield Level("watches", len(shard.watching.watchers), MOST_WATCHES)
        yield Level("sandboxes", shard.turns.instances, shard.turns.most_instances)
        yield Level("agents", len(shard.registry.agents), MOST_AGENTS)
        yield Level("registered_bytes", shard.registry.bytes, MOST_REGISTERED_BYTES)
        yield Level("conversations", len(conversations.live), table.MOST_CONVERSATIONS)
        yield Level("conversation_bytes", conversations.size, table.MOST_BYTES)
        yield Level("undecided", shard.alternatives.weight, MOST_UNDECIDED)
        yield Level("subscriptions", len(shard.capabilities.subscriptions), MOST_SUBSCRIPTIONS)
        yield Level("offers", len(shard.capabilities.publication), MOST_OFFERS)

    def _of_agents(self) -> Iterator[Level]:
        """What each agent has of its own: of every kind the fullest."""
        shard, letters, disk = self._shard, self._shard.durable.dead_letters, self._shard.durable.disk
        agent_id, count, size = letters.most_of_one()
        yield Level("agent_dead_letters", count, letters.share, self._name(agent_id))
        agent_id, _, size = letters.most_of_one(by_size=True)
        yield Level("agent_dead_letter_bytes", size, MOST_BYTES // SHARES, self._name(agent_id))
        agent_id, weight = disk.most_of_one()
        yield Level("agent_on_disk", weight, disk.of_one, self._name(agent_id))
        told = chain.from_iterable(peer.full for peer in shard.peers.by_number.values())
        for agent_id in set(islice(told, OF_MAILBOXES)):
            agent = shard.registry.find(agent_id)
            mailbox = None if agent is None else agent.mailbox
            if mailbox is not None:
                roots = mailbox.depth - mailbox.effects - mailbox.away
                if roots >= mailbox.capacity * OVER_BELOW:
                    yield Level("mailbox", roots, mailbox.capacity, self._name(agent_id))

    def _of_principals(self) -> Iterator[Level]:
        """What each principal has, while several share and half of it is used."""
        letters, contents = self._shard.durable.dead_letters.shares
        if not self._shard.durable.dead_letters.evicting:
            yield from letters.levels("principal_dead_letters")
            yield from contents.levels("principal_dead_letter_bytes")
        keys, answers = self._shard.durable.keys.shares
        yield from keys.levels("principal_keys")
        yield from answers.levels("principal_answers")
        yield from self._shard.durable.disk.shares.levels("principal_on_disk")
        yield from self._shard.root_shares.shares.levels("principal_mailboxes")

    def _name(self, agent_id: int) -> str:
        agent = self._shard.registry.find(agent_id)
        return f"agent {agent_id:016x}" if agent is None else f"agent {agent.manifest.name}"
