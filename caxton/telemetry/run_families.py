"""What a run did, has and lost, of all shards and of each."""

from collections.abc import Iterator, Mapping

from caxton.delivery.latency import LATENCIES
from caxton.telemetry.family import Family, Histogram, Kind, Told, counter, gauge, of_label
from caxton.wire.counters import COUNTERS, GAUGES, meaning_of
from caxton.wire.told import RouterStats

_MS_PER_S = 1_000
_ABOUT = ". The sum is worked out from the buckets"
# The names of histograms, by those of `caxton.delivery.latency`.
HISTOGRAMS = {
    "routing": "caxton_message_routing_duration_seconds",
    "waiting": "caxton_message_waiting_duration_seconds",
    "processing": "caxton_message_processing_duration_seconds",
    "commit": "caxton_commit_duration_seconds",
}


def run_families(stats: RouterStats) -> Iterator[Told]:
    """Yield what the runtime does as a whole."""
    totals = stats.totals
    failed, agent_errors = totals.get("failed", 0), totals.get("agent_errors", 0)
    success = max(0, stats.total_messages_processed - failed - agent_errors)
    status = {"success": success, "failed": failed, "agent_error": agent_errors}
    yield of_label(
        "caxton_messages_processed", Kind.COUNTER, "turns that ended, by whether the agent failed", "status", status
    )
    outcomes = {"handled": success} | stats.errors_by_type
    yield of_label("caxton_messages", Kind.COUNTER, "messages by what became of them", "outcome", outcomes)
    lost = {place: count for place, count in stats.lost.items() if place != "total"}
    says = "messages of the volatile lane that were lost, by where they were"
    yield of_label("caxton_messages_lost", Kind.COUNTER, says, "where", lost)
    yield gauge("caxton_message_queue_size", "messages that wait for agents, on both lanes", stats.inbound_queue_depth)
    yield gauge(
        "caxton_outbound_queue_size", "what agents sent and waits for another shard", stats.outbound_queue_depth
    )
    yield gauge("caxton_active_conversations", "conversations that go on", totals.get("conversations", 0))
    yield gauge("caxton_agents_registered", "agents registered", totals.get("agents", 0))
    yield gauge("caxton_sessions", "clients that are connected", stats.sessions)
    yield gauge("caxton_sessions_limit", "clients that may be connected", stats.most_sessions)
    yield gauge("caxton_uptime_seconds", "for how long this runtime has run", stats.uptime_s)
    yield gauge("caxton_resident_memory_bytes", "resident memory of supervisor and workers", stats.memory_usage_bytes)
    yield gauge("caxton_database_size_bytes", "the files of all shards", stats.database_size_bytes)
    yield counter(
        "caxton_undelivered_to_ended_sessions",
        "messages for clients that ended before they took them",
        stats.undelivered_to_ended_sessions,
    )
    yield of_label(
        "caxton_dropped_by_supervisor",
        Kind.COUNTER,
        "what the supervisor did not answer",
        "reason",
        stats.dropped_by_supervisor,
    )
    compiled = {"compiled": stats.modules_compiled, "refused": stats.modules_refused}
    says = "modules that the compiler was given, by what became of them"
    yield of_label("caxton_modules", Kind.COUNTER, says, "outcome", compiled)
    yield counter("caxton_compile_seconds", "time that the compiler took for them", stats.compile_time_s)
    says = "rows of the supervisor's audit that were written in this run"
    yield of_label("caxton_audit_rows", Kind.COUNTER, says, "kind", stats.audit_written)
    says = "rows of the supervisor's audit that could not be written"
    yield of_label("caxton_audit_rows_missed", Kind.COUNTER, says, "kind", stats.audit_missed)
    for name, says in LATENCIES.items():
        latency = stats.latencies.get(name)
        yield Histogram(HISTOGRAMS[name], says + _ABOUT, latency.buckets if latency else ())
    for name in COUNTERS:
        yield _of_workers(stats, name) if name not in GAUGES else _of_shards(stats, name)


def _of_workers(stats: RouterStats, name: str) -> Family:
    """Return what all workers of this run counted, also those that have ended: it never goes back."""
    return counter(f"caxton_worker_{name}", meaning_of(name), stats.totals.get(name, 0))


def _of_shards(stats: RouterStats, name: str) -> Family:
    """Return what each shard has now; a shard without a worker has nothing."""
    unit = 1
    told, says = name, meaning_of(name)
    if name.endswith("_ms"):
        told, unit = f"{name.removesuffix('_ms')}_seconds", _MS_PER_S
        says = says.replace("milliseconds", "seconds").partition("; of all shards")[0]
    values = {str(worker["shard"]): _number(worker, name) / unit for worker in stats.workers if name in worker}
    return of_label(f"caxton_shard_{told}", Kind.GAUGE, says, "shard", values)


def _number(worker: Mapping[str, int | str], name: str) -> int:
    value = worker[name]
    return value if isinstance(value, int) else 0
