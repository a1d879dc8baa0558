"""The page of `caxton top`, as lines: all that others have named is escaped in it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from caxton.cli import stats_text
from caxton.cli.columns import Columns
from caxton.cli.top.seen import Seen
from caxton.cli.top.view import KEYS, KEYS_OF_FILTER, View
from caxton.printable import counted, printable
from caxton.wire.busy import BusyAgent, BusyBy
from caxton.wire.told import WorkerHealth

_MIB = 1 << 20
# Problems, limits and counters that are told; `caxton health` and `caxton stats` have all.
_MOST_TOLD = 4
# Lines that agents have at least, with their heads, before other parts of the page give way.
_LEAST_AGENTS = 5
# How much of the page shards may take, and how many are shown at least.
_PART_OF_SHARDS, _LEAST_SHARDS = 3, 2
_NAME_LENGTH = 60
_RATES = {
    "run": "turns",
    "taken_from_sessions": "from clients",
    "emitted_to_sessions": "to clients",
    "emitted_to_workers": "between workers",
    "commits": "commits",
}
_HEADS = {"turns/s": BusyBy.TURNS, "time": BusyBy.TIME, "failed/s": BusyBy.FAILURES, "waiting": BusyBy.MAILBOX}


class Line(NamedTuple):
    """A line of printable text. style: "" for plain, or `head`, `bad`, `name`, `keys`."""

    text: str
    style: str = ""


def page(seen: Seen | None, view: View, problem: str, height: int | None) -> list[Line]:
    """Return the page for a screen of so many lines; all there is for None. problem: why nothing newer was seen."""
    head = [Line(printable(problem), "bad")] if problem else []
    if seen is None:
        return [*head, *_foot(view, height)]
    head += _head(seen)
    most = None if height is None else max(_LEAST_SHARDS, height // _PART_OF_SHARDS)
    parts = [head, [*_rates(seen)], [*_shards(seen, most)], [*_times(seen)]]
    foot = _foot(view, height)
    if height is not None:
        while len(parts) > 1 and sum(map(len, parts)) + len(foot) + _LEAST_AGENTS > height:
            parts.pop()
    above = [line for part in parts for line in part]
    left = None if height is None else max(0, height - len(above) - len(foot))
    agents = [*_agents(seen, view, left)][:left]
    below = [] if left is None else [Line("")] * (left - len(agents))
    return [*above, *agents, *below, *foot]


def _head(seen: Seen) -> list[Line]:
    health, stats = seen.health, seen.stats
    (summary,) = stats_text.summary(stats, health)
    bad = [printable(f"{one.level}: {one.text}; {one.advice}") for one in health.reasons]
    bad += [printable(f"near its limit: {one.text}") for one in health.warnings]
    if lost := stats.lost.get("total", 0):
        bad.append(f"{counted(lost, 'messages')} of the volatile lane lost in this run")
    if growing := seen.growing():
        told = ", ".join(f"{name} {grows:,.1f}/s" for name, grows in growing[:_MOST_TOLD])
        bad.append(printable(f"now: {told}{' and others' if len(growing) > _MOST_TOLD else ''}; see `caxton stats`"))
    more = [f"and {counted(len(bad) - _MOST_TOLD, 'others')}"] if len(bad) > _MOST_TOLD else []
    return [Line(printable(summary), "head"), *(Line(text, "bad") for text in (*bad[:_MOST_TOLD], *more))]


def _rates(seen: Seen) -> Iterator[Line]:
    rates = [(what, seen.rate(name)) for name, what in _RATES.items()]
    told = ", ".join(f"{what} {rate:,.0f}" for what, rate in rates if rate is not None)
    peak = seen.stats.peak_messages_per_second
    errors = f"errors in this run {seen.stats.total_errors:,}"
    yield Line(f"a second: {told or 'not known yet'}; turns at most {peak:,.0f}; {errors}")


def _shards(seen: Seen, most: int | None) -> Iterator[Line]:
    rows = []
    workers = seen.health.workers
    counters = {one["shard"]: one for one in seen.stats.workers}
    for worker in workers[:most]:
        own = counters.get(worker.shard, {})
        waiting = [own.get(name) for name in ("queued", "pending", "dead_letters", "oldest_ms")]
        turns = _rate(seen.rate_of_shard(worker.shard, "run"))
        rows.append([worker.shard, worker.state, turns, *waiting, *_worker(worker), own.get("backlog")])
    # The last ones are cut on a terminal of 80 columns.
    names = ["shard", "state", "turns/s", "waiting", "pending", "dead letters", "oldest ms"]
    yield from _table([*names, "agents", "memory", "restarts", "for others"], rows)
    if len(rows) < len(workers):
        yield Line(f"  and {counted(len(workers) - len(rows), 'other shards')}")


def _worker(worker: WorkerHealth) -> list[object]:
    return [worker.agents, f"{worker.resident_bytes / _MIB:.0f} MiB", worker.restarts]


def _times(seen: Seen) -> Iterator[Line]:
    rows: list[list[object]] = [
        [name, *map(stats_text.shown_us, seen.percentiles_us(name))] for name in seen.stats.latencies
    ]
    yield from _table(["took", *stats_text.PERCENTILES.values()], rows)


def _agents(seen: Seen, view: View, most: int | None) -> Iterator[Line]:
    busiest = seen.busiest
    if busiest is None:
        yield Line(printable(f"agents: {seen.untold}"), "bad")
        return
    agents = [agent for agent in busiest.agents if view.shows(agent.name)]
    agents.sort(key=lambda agent: -agent.amount(view.by))  # told in another order, until the next look
    if busiest.missing:
        yield Line("shards that do not serve: " + ", ".join(map(str, busiest.missing)), "bad")
    names = [f"[{name}]" if by is view.by else name for name, by in _HEADS.items()]
    rows = [_agent(agent) for agent in agents[:most]]
    yield from _table(["agent", "shard", "state", *names, "turns", "failed"], rows)
    if not rows:
        yield Line("  nobody is busy" if not view.wanted else "  nobody of these is among the busiest")


def _agent(agent: BusyAgent) -> list[object]:
    name = printable(agent.name, _NAME_LENGTH)
    did = [_rate(agent.turns_per_s), f"{agent.time_share:.1%}", _rate(agent.failures_per_s), agent.queued]
    return [name, agent.shard, agent.state, *did, f"{agent.turns:,}", f"{agent.failures:,}"]


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.1f}"


def _table(names: list[str], rows: Iterable[list[object]]) -> Iterator[Line]:
    lines = Columns(names).page(rows)
    yield Line(next(lines), "name")
    yield from map(Line, lines)


def _foot(view: View, height: int | None) -> list[Line]:
    if height is None:
        return []
    wanted = f"filter: {printable(view.wanted)}{'_' if view.typing else ''}  " if view.wanted or view.typing else ""
    paused = "paused  " if view.paused else ""
    return [Line(f"{paused}{wanted}{KEYS_OF_FILTER if view.typing else KEYS}", "keys")]
