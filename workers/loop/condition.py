"""How the shard stands, looked at every 200 ms: what a heartbeat tells of it beside its counters."""

from collections.abc import Collection

from caxton.wire.condition import NOBODY, Condition, Named
from workers.commit.committer import Committer
from workers.durable.idempotency_keys import MOST_ANSWER_BYTES, MOST_KEYS
from workers.loop.calls import MAX_CALLS
from workers.loop.shard import Shard
from workers.worker_pass import NS_PER_MS

# From when on something that waits for a commit is looked at closely, to name who has the turns meanwhile.
STILL_MS = 1_000


class ShardCondition:
    """Owned by the worker's loop, which has it look at each tick."""

    def __init__(self, shard: Shard, committer: Committer) -> None:
        self._shard = shard
        self._committer = committer
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
        return Condition(
            dead_letters=len(letters),
            dead_letter_capacity=0 if letters.evicting else letters.capacity,
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
            broken=self._named([a.agent_id for a in shard.durable.attempts.broken if find(a.agent_id) is a]),
        )

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
