"""Is everything well? Pure: from what is known of the shards."""

from collections.abc import Sequence

from caxton.supervisor.workforce.shard import Shard, ShardState
from caxton.wire.supervision import WorkerHealth


def status_of(states: Sequence[ShardState], *others: str | None) -> tuple[str, str | None]:
    """Return status and reason: healthy, degraded (some serve, or there are `others`' problems) or unhealthy."""
    absent = [_absence(number, state) for number, state in enumerate(states) if state is not ShardState.READY]
    if len(absent) == len(states):
        return "unhealthy", "; ".join(absent)
    problems = [*absent, *(problem for problem in others if problem is not None)]
    return ("degraded", "; ".join(problems)) if problems else ("healthy", None)


def _absence(number: int, state: ShardState) -> str:
    text = f"shard {number} is {state}"
    if state is not ShardState.QUARANTINED:
        return text
    return f"{text} (its file is damaged: restore shard-{number}.* from a backup, then run `caxton restart`)"


def health_of(shard: Shard) -> WorkerHealth:
    """Return what is shown of one shard's worker; pid and incarnation are 0 while there is none."""
    process = shard.process
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
    )
