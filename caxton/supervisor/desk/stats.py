"""What a run did, has and lost, from the books of its workers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from caxton.delivery.latency import PERCENTILES, percentile_us
from caxton.supervisor.audit.keeper import AuditKeeper
from caxton.supervisor.compiler.host import CompilerHost
from caxton.supervisor.desk.rates import TURNS, Rates
from caxton.supervisor.workforce.run_ledger import RunLedger
from caxton.supervisor.workforce.shard import Shard
from caxton.supervisor.workforce.worker_process import resident_bytes_of
from caxton.wire.audit import Kind
from caxton.wire.told import ERRORS, LatencyStats, RouterStats


def stats_of(  # noqa: PLR0913 (what is told comes from so many places)
    shards: Sequence[Shard],
    ledger: RunLedger,
    *,
    uptime_s: float,
    sessions: int,
    most_sessions: int,
    dropped: Mapping[str, int],
    database_bytes: int,
    rates: Rates,
    compiler: CompilerHost,
    audit: AuditKeeper,
) -> RouterStats:
    """Return the figures of now, from what the ledger read last."""
    totals, lost = ledger.totals(), ledger.lost()
    errors = {name: totals.get(name, 0) for name in ERRORS} | {"lost": lost["total"]}
    resident = [resident_bytes_of(os.getpid()), *(s.process.resident_bytes for s in shards if s.process is not None)]
    return RouterStats(
        uptime_s=uptime_s,
        sessions=sessions,
        most_sessions=most_sessions,
        workers=[_worker(shard, ledger) for shard in shards],
        totals=totals,
        lost=lost,
        undelivered_to_ended_sessions=ledger.undelivered,
        dropped_by_supervisor=dict(dropped),
        total_messages_processed=totals.get(TURNS, 0),
        total_errors=sum(errors.values()),
        errors_by_type=errors,
        inbound_queue_depth=totals.get("queued", 0) + totals.get("pending", 0),
        outbound_queue_depth=totals.get("backlog", 0),
        memory_usage_bytes=sum(resident),
        database_size_bytes=database_bytes,
        latencies={name: _latency(buckets) for name, buckets in ledger.latencies().items()},
        rates=rates.by_counter(),
        rates_s=round(rates.over_s, 3),
        messages_per_second=rates.of(TURNS),
        peak_messages_per_second=rates.peak,
        modules_compiled=compiler.compiled,
        modules_refused=compiler.refused,
        compile_time_s=round(compiler.compile_s, 3),
        audit_written={kind.name.lower(): audit.written[kind] for kind in Kind},
        audit_missed={kind.name.lower(): audit.missed[kind] for kind in Kind},
    )


def _latency(buckets: list[int]) -> LatencyStats:
    found = {name: percentile_us(buckets, part) for name, part in PERCENTILES.items()}
    told = {name: None if took_us is None else round(took_us, 1) for name, took_us in found.items()}
    return LatencyStats(sum(buckets), **told, buckets=buckets)


def size_of_shards(data_dir: Path) -> int:
    """Return how large the files of all shards are, in bytes; what comes or goes meanwhile may be missing."""
    size = 0
    for path in data_dir.glob("shard-*"):
        try:
            size += path.stat().st_size
        except OSError:
            continue
    return size


def _worker(shard: Shard, ledger: RunLedger) -> dict[str, int | str]:
    incarnation = shard.process.incarnation if shard.process is not None else 0
    book = ledger.book(incarnation)
    about: dict[str, int | str] = {"shard": shard.number, "incarnation": incarnation, "state": shard.state.value}
    return about | (book.counters if book is not None else {})
