"""Whether everything is well, in numbers that alerts can be made of."""

from collections import Counter
from collections.abc import Iterator

from caxton.telemetry.family import MOST_VALUES, Family, Kind, of_label
from caxton.wire.told import Health

STATUSES = ("healthy", "degraded", "unhealthy")
STATES = ("starting", "ready", "restarting", "draining", "failed", "quarantined")


def health_families(health: Health) -> Iterator[Family]:
    """Yield what `caxton health` tells."""
    yield Family("caxton_build_info", Kind.GAUGE, "the release that runs", ("version",), {(health.version,): 1})
    status = {name: float(health.status == name) for name in STATUSES}
    yield of_label("caxton_health_status", Kind.GAUGE, "1 for how the runtime is, 0 else", "status", status)
    reasons: Counter[tuple[str, ...]] = Counter((reason.name, reason.level) for reason in health.reasons)
    yield Family(
        "caxton_health_reasons",
        Kind.GAUGE,
        "why health is not what it might be, by name: docs/operating.md",
        ("name", "level"),
        {key: float(count) for key, count in reasons.most_common(MOST_VALUES)},
    )
    fullest: dict[tuple[str, ...], float] = {}
    for near in health.warnings:
        key = near.limit, "" if near.shard is None else str(near.shard)
        fullest[key] = max(fullest.get(key, 0.0), near.have / near.most if near.most else 1.0)
    yield Family(
        "caxton_limit_used_ratio",
        Kind.GAUGE,
        "how full the fullest of these limits is; only those that are near are told",
        ("limit", "shard"),
        dict(sorted(fullest.items())[: 32 * MOST_VALUES]),
    )
    errors = {name: part.error_count for name, part in health.components.items()}
    yield of_label(
        "caxton_component_errors", Kind.COUNTER, "problems that began, and deaths of workers", "component", errors
    )
    states: dict[tuple[str, ...], float] = {
        (str(worker.shard), state): float(worker.state == state) for worker in health.workers for state in STATES
    }
    says = "1 for how a shard's worker is, 0 else"
    yield Family("caxton_worker_state", Kind.GAUGE, says, ("shard", "state"), states)
    restarts: dict[tuple[str, ...], float] = {(str(w.shard), "death"): float(w.restarts) for w in health.workers}
    planned = {(str(w.shard), "planned"): float(w.planned_restarts) for w in health.workers}
    says = "starts of a worker after a death, and after an end that was asked for"
    yield Family("caxton_worker_restarts", Kind.COUNTER, says, ("shard", "after"), restarts | planned)
    broken = {str(worker.shard): worker.agents_broken for worker in health.workers}
    says = "agents that are left alone for a while, because their circuit breaker is open"
    yield of_label("caxton_shard_agents_broken", Kind.GAUGE, says, "shard", broken)
    failed = {str(worker.shard): worker.agents_failed for worker in health.workers}
    says = "agents that workers died of, until somebody resumes them"
    yield of_label("caxton_shard_agents_failed", Kind.GAUGE, says, "shard", failed)
    resident = {str(worker.shard): worker.resident_bytes for worker in health.workers}
    yield of_label(
        "caxton_worker_resident_memory_bytes", Kind.GAUGE, "resident memory of a shard's worker", "shard", resident
    )
