"""How the shard stands, looked at every 200 ms: what a heartbeat tells of it beside its counters."""

from collections.abc import Collection

from caxton.wire.condition import NOBODY, Condition, Named
from workers.commit.committer import Committer
from workers.durable.dead_letters import MOST_BYTES
from workers.durable.idempotency_keys import MOST_ANSWER_BYTES, MOST_KEYS
from workers.loop.calls import MAX_CALLS
from workers.loop.levels import Levels
from workers.loop.passes import Passes
from workers.loop.shard import Shard
from workers.queues.shares import named
from workers.worker_pass import NS_PER_MS

# A look comes every 200 ms: what is more between two of them, the whole process stood still, and not the shard in it.
MOST_BETWEEN_NS = 400 * NS_PER_MS
# From when on something that waits for a commit is looked at closely, to name who has the turns meanwhile.
STILL_MS = 1_000


class ShardCondition:
    """Owned by the worker's loop, which has it look at each tick."""

    def __init__(self, shard: Shard, committer: Committer, passes: Passes) -> None:
        self._shard = shard
        self._committer = committer
        self._passes = passes
        self._levels = Levels(shard, passes)
        # When it last looked (monotonic), how many turns there had been, and for how long none was run that might.
        self._looked_ns = self._turns_run = self._still_ns = 0
        self._commits = 0
        # Since when something waits for a commit and none was done (monotonic), 0 while nothing does.
        self._waits_since_ns = 0
        # Turns by agent when that began to take long, and who has had most of them since.
        self._turns: dict[int, int] | None = None
        self._busy = ""

    def look(self, now_ns: int, calls: int = 0) -> Condition:
        """Return how the shard stands now. calls: how many are being answered."""
        shard, committer, greetings = self._shard, self._committer, self._shard.durable.greetings
        letters, find = shard.durable.dead_letters, shard.registry.find
        keys, answer_bytes = shard.durable.keys.in_use()
        waiting_ms = self._waiting_ms(now_ns)
        disk, outbox = shard.durable.disk, shard.durable.outboxes.fullest()
        kept_back, states = shard.dispatcher.far.kept_back(), shard.durable.journal.states
        shard.oldest_ms = _since_ms(shard.dispatcher.oldest_ns() or 0, now_ns)
        return Condition(
            dead_letters=len(letters),
            dead_letter_capacity=0 if letters.evicting else letters.capacity,
            dead_letter_bytes=letters.bytes,
            most_dead_letter_bytes=0 if letters.evicting else MOST_BYTES,
            crowded=self._named(letters.crowded),
            storage=greetings.closed,
            refused_ms=_since_ms(committer.refusing_ns, now_ns),
            commit_ms=_since_ms(committer.begun_ns, now_ns),
            waiting_ms=waiting_ms,
            busy=self._busy,
            sandboxes=shard.turns.instances,
            most_sandboxes=shard.turns.most_instances,
            held_back=any(shard.peers.held_back),
            failed=self._named(shard.lifecycle.failed),
            keys=keys,
            most_keys=MOST_KEYS,
            answers=answer_bytes,
            most_answers=MOST_ANSWER_BYTES,
            calls=calls,
            most_calls=MAX_CALLS,
            modules_ms=shard.module_uses.marked_ms,
            oldest_ms=shard.oldest_ms,
            still_ms=self._still_ms(now_ns),
            reading_ms=_since_ms(self._passes.paging.begun_ns, now_ns),
            broken=self._named([a.agent_id for a in shard.durable.attempts.broken if find(a.agent_id) is a]),
            on_disk=disk.weight,
            most_on_disk=disk.most,
            full_on_disk=self._named(disk.full),
            outbox=outbox.holds,
            most_outbox=outbox.most,
            outbox_of=outbox.of,
            kept_back=self._named({agent_id for agents in kept_back.values() for agent_id in agents}),
            states=states.bytes,
            most_states=states.most,
            unsaved=self._named(states.refused),
            near=self._levels.look(calls),
            beyond_share=Named.of([named(principal) for principal in self._refused()]),
            far=Named.of([str(number) for number, agents in kept_back.items() if agents]) if kept_back else NOBODY,
        )

    def _refused(self) -> set[str]:
        """Return the principals that are refused more, because they have their share of something."""
        durable = self._shard.durable
        shares = (
            self._shard.root_shares.shares,
            durable.disk.shares,
            *durable.dead_letters.shares,
            *durable.keys.shares,
        )
        return set().union(*(each.still_refused() for each in shares))

    def _waiting_ms(self, now_ns: int) -> int:
        """Return for how long something has waited while no commit was done."""
        committer, journal = self._committer, self._shard.durable.journal
        if journal.quiet or committer.done != self._commits:
            self._commits = committer.done
            self._waits_since_ns = 0 if journal.quiet else now_ns
            self._turns, self._busy = None, ""
            return 0
        self._waits_since_ns = self._waits_since_ns or now_ns
        waiting_ms = _since_ms(self._waits_since_ns, now_ns)
        if waiting_ms >= STILL_MS:
            self._look_closely()
        return waiting_ms

    def _still_ms(self, now_ns: int) -> int:
        """Return for how long somebody was in line and nobody had a turn, by looks and not by the clock alone."""
        passed_ns = min(now_ns - self._looked_ns, MOST_BETWEEN_NS) if self._looked_ns else 0
        if self._shard.dispatcher.idle or self._passes.turns != self._turns_run:
            self._still_ns = 0
        else:
            self._still_ns += passed_ns
        self._looked_ns, self._turns_run = now_ns, self._passes.turns
        return self._still_ns // NS_PER_MS

    def _look_closely(self) -> None:
        agents = self._shard.registry.agents.values()
        if self._turns is None:
            self._turns = {agent.agent_id: agent.run for agent in agents}
            return
        before = self._turns
        most, busiest = max(((a.run - before.get(a.agent_id, 0), a.manifest.name) for a in agents), default=(0, ""))
        self._busy = busiest if most else ""

    def _named(self, agent_ids: Collection[int]) -> Named:
        if not agent_ids:
            return NOBODY
        find = self._shard.registry.find
        agents = {agent_id: find(agent_id) for agent_id in agent_ids}
        return Named.of([f"{n:016x}" if agent is None else agent.manifest.name for n, agent in agents.items()])


def _since_ms(since_ns: int, now_ns: int) -> int:
    return max(0, now_ns - since_ns) // NS_PER_MS if since_ns else 0
