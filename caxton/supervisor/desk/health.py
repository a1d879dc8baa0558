"""What is shown of shards: their workers, and what is seen of each by those who decide whether all is well."""

from caxton.ids import AgentId
from caxton.supervisor.desk.reasons import ShardSeen
from caxton.supervisor.workforce.shard import Shard
from caxton.wire.condition import WELL
from caxton.wire.told import WorkerHealth


def health_of(shard: Shard) -> WorkerHealth:
    """Return what is shown of one shard's worker; pid and incarnation are 0 while there is none."""
    process = shard.process
    condition = WELL if shard.heartbeat is None else shard.heartbeat.condition
    return WorkerHealth(
        shard=shard.number,
        pid=process.pid if process is not None else 0,
        incarnation=process.incarnation if process is not None else 0,
        state=shard.state.value,
        restarts=shard.restarts,
        agents=shard.counters.get("agents", 0),
        resident_bytes=process.resident_bytes if process is not None else 0,
        planned_restarts=shard.planned_restarts,
        last_exit=shard.last_exit,
        agents_broken=condition.broken.count,
        agents_failed=condition.failed.count,
    )


def seen_of(shard: Shard, memory_limit: int | None, now_s: float) -> ShardSeen:
    """Return what is known of a shard now (monotonic)."""
    beat, process = shard.heartbeat, shard.process
    note = shard.note
    return ShardSeen(
        number=shard.number,
        state=shard.state,
        condition=WELL if beat is None else beat.condition,
        silent_ms=int(shard.silent_s(now_s) * 1000),
        in_turn=str(AgentId(note.agent)) if note is not None and note.in_turn else "",
        resident_bytes=0 if process is None or memory_limit is None else process.resident_bytes,
        memory_limit=memory_limit,
        restarts=shard.restarts,
        last_exit=shard.last_exit,
    )
