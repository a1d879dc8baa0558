"""What `caxton stats` says to people: first what stands out, then what happens now, then this run."""

from collections.abc import Iterable, Iterator
from typing import Any

from caxton.cli.columns import Columns
from caxton.printable import counted, printable
from caxton.wire.counters import GAUGES, ORDINARY, meaning_of
from caxton.wire.told import Health, LatencyStats, RouterStats

_MIB = 1 << 20
_US_PER_MS, _US_PER_S = 1_000, 1_000_000
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
# Counters that stand out in a short answer; `--all` shows the rest.
MOST_STANDING_OUT = 12
PERCENTILES = {"p50_us": "p50", "p90_us": "p90", "p99_us": "p99", "p999_us": "p99.9"}
# What happens now, by counter.
_NOW = {
    "run": "turns",
    "taken_from_sessions": "from clients",
    "emitted_to_sessions": "to clients",
    "taken_from_workers": "from other workers",
    "local": "from agent to agent in a worker",
    "commits": "commits",
}
_NOT_COUNTED = ("shard", "incarnation", "state")


def summary(told: RouterStats, health: Health | None) -> Iterator[str]:
    """Say how the runtime is, and how much there is of everything."""
    if health is None:
        yield f"up {lasted(told.uptime_s)}, {counted(told.sessions, 'sessions')}"
        return
    ready = sum(worker.state == "ready" for worker in health.workers)
    agents = sum(worker.agents for worker in health.workers)
    yield (
        f"{health.status}, up {lasted(told.uptime_s)}: {ready} of {counted(len(health.workers), 'shards')} ready, "
        f"{counted(agents, 'agents')}, {told.sessions} of {counted(told.most_sessions, 'sessions')}"
    )


def standing_out(told: RouterStats, health: Health | None, durable: dict[str, Any], most: int | None) -> Iterator[str]:
    """Say what is not as it should be: what health says, then what was refused, failed or lost, what goes on first."""
    found = [] if health is None else [printable(f"{one.level}: {one.text}; {one.advice}") for one in health.reasons]
    if health is not None:
        found += [printable(f"near its limit: {one.text}") for one in health.warnings]
    if durable["problem"] is not None:
        found.append(printable(f"no ledger: {durable['problem']}"))
    elif not durable["ledger"]["balanced"]:
        found.append("the durable lane's books DO NOT BALANCE, see `caxton ledger`")
    lost = {place: count for place, count in told.lost.items() if count and place != "total"}
    if lost:
        found.append("lost of the volatile lane: " + _listed(lost))
    if told.dropped_by_supervisor:
        found.append("dropped by the supervisor: " + printable(_listed(told.dropped_by_supervisor)))
    names = [name for name, total in told.totals.items() if total and name not in ORDINARY]
    names.sort(key=lambda name: (-told.rates.get(name, 0.0), -told.totals[name], name))
    rows = [[name, f"{told.totals[name]:,}", rate(told, name), meaning_of(name)] for name in names[:most]]
    if not found and not rows:
        yield "nothing stands out: nothing was refused, failed or lost in this run"
        return
    yield "stands out"
    yield from _indented(found)
    yield from _indented(Columns(["counter", "this run", "now", "what it counts"]).page(rows) if rows else ())
    if len(rows) < len(names):
        yield f"  and {counted(len(names) - len(rows), 'other counters')}, see --all"


def now(told: RouterStats) -> Iterator[str]:
    """Say what happens in a second."""
    if not told.rates_s:
        yield "now: not known yet, ask again in a second"
        return
    peak = counted(round(told.peak_messages_per_second), "turns")
    yield f"now, a second, over the last {told.rates_s:.0f} s (peak of this run: {peak})"
    rows = [[what, f"{told.rates.get(name, 0.0):,.1f}"] for name, what in _NOW.items() if told.totals.get(name)]
    yield from _indented(Columns(["", ""]).page(rows))


def times(latencies: dict[str, LatencyStats]) -> Iterator[str]:
    """Say how long things took."""
    yield "how long it took"
    rows = [
        [name, *(shown_us(getattr(took, field)) for field in PERCENTILES), f"{took.count:,}"]
        for name, took in latencies.items()
    ]
    yield from _indented(Columns(["", *PERCENTILES.values(), "of"]).page(rows))


def this_run(told: RouterStats, durable: dict[str, Any]) -> Iterator[str]:
    """Say what was done, waits, was lost, and is used."""
    yield "this run"
    lost = ", ".join(f"{place.replace('_', ' ')} {count:,}" for place, count in told.lost.items())
    dropped = _listed(told.dropped_by_supervisor)
    memory, files = told.memory_usage_bytes / _MIB, told.database_size_bytes / _MIB
    waiting = f"waiting {told.inbound_queue_depth:,} for agents and {told.outbound_queue_depth:,} for other shards"
    lines = [
        f"processed {told.total_messages_processed:,}, errors {told.total_errors:,}, {waiting}",
        f"lost: {lost}",
        f"memory {memory:.0f} MiB, files of the shards {files:.1f} MiB",
        f"waited for sessions that ended: {told.undelivered_to_ended_sessions:,}",
        f"dropped by the supervisor: {dropped or 'nothing'}",
        *_durable(durable),
    ]
    yield from _indented(map(printable, lines))


def by_shard(told: RouterStats, health: Health | None) -> Iterator[str]:
    """Say how the shards compare."""
    memory = {} if health is None else {worker.shard: worker.resident_bytes for worker in health.workers}
    yield "shards"
    rows = [
        [
            one["shard"],
            one["state"],
            *(one.get(name) for name in ("agents", "run", "queued", "pending", "backlog", "dead_letters", "oldest_ms")),
            f"{memory[shard] / _MIB:.0f} MiB" if isinstance(shard := one["shard"], int) and shard in memory else None,
        ]
        for one in told.workers
    ]
    waiting = ["waiting", "pending", "for others", "dead letters", "oldest ms"]
    yield from _indented(Columns(["shard", "state", "agents", "turns", *waiting, "memory"]).page(rows))


def counters(told: RouterStats, *, wide: bool) -> Iterator[str]:
    """List every counter of this run with what it counts, and with each shard's if it may be `wide`."""
    shards = told.workers if wide else []
    names = sorted({name for one in told.workers for name in one if name not in _NOT_COUNTED} | told.totals.keys())
    yield "counters"
    heads = ["counter", *(f"shard {one['shard']}" for one in shards), "this run", "now", "what it counts"]
    rows = [
        [name, *(one.get(name) for one in shards), told.totals.get(name), rate(told, name), meaning_of(name)]
        for name in names
    ]
    yield from _indented(Columns(heads).page(rows))


def explained(meanings: dict[str, str]) -> Iterator[str]:
    """List counters and gauges with what they say."""
    rows = [[name, "gauge" if name in GAUGES else "counter", what] for name, what in sorted(meanings.items())]
    return Columns(["name", "kind", "what it says"]).page(rows)


def rate(told: RouterStats, name: str) -> str:
    """Return how fast a counter grows; "" for what has only a level, or stands still."""
    grows = told.rates.get(name, 0.0)
    return f"{grows:,.1f}/s" if grows and name not in GAUGES else ""


def shown_us(took_us: float | None) -> str:
    """Return a time as people read it, `-` for none."""
    if took_us is None:
        return "-"
    if took_us < _US_PER_MS:
        return f"{took_us:.0f} us"
    return f"{took_us / _US_PER_MS:.1f} ms" if took_us < _US_PER_S else f"{took_us / _US_PER_S:.1f} s"


def lasted(seconds: float) -> str:
    """Return a length of time in its two largest units: 5 s, 3 min 20 s, 2 h 5 min, 4 d 1 h."""
    whole = int(seconds)
    for unit_s, unit, below_s, below in ((_DAY_S, "d", _HOUR_S, "h"), (_HOUR_S, "h", _MINUTE_S, "min")):
        if whole >= unit_s:
            return f"{whole // unit_s} {unit} {whole % unit_s // below_s} {below}"
    return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s" if whole >= _MINUTE_S else f"{whole} s"


def _durable(durable: dict[str, Any]) -> list[str]:
    if durable["problem"] is not None:
        return []
    ledger, letters = durable["ledger"], durable["dead_letters"]
    names = ("accepted", "processed", "dead", "expired", "pending", "in_flight")
    figures = ", ".join(f"{name.replace('_', ' ')} {ledger[name]:,}" for name in names)
    balance = "balanced" if ledger["balanced"] else "it DOES NOT BALANCE, see `caxton ledger`"
    reasons = _listed(letters["messages_by_reason"]) or "none"
    return [
        f"durable lane, ever: {figures}; {balance}",
        f"dead letters: {letters['total_messages']:,} of {letters['capacity']:,} ({reasons})",
    ]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items()))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return ("  " + line for line in lines)
