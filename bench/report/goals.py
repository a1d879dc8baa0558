"""The figures to reach: what each is, its bar, and whether the results meet it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.report.figures import Absent, figure, row_of, shown
from bench.report.sources import SOURCES

Found = Mapping[str, dict[str, Any] | None]

# Grown memory is flat up to this share of what a process held after its warm-up: allocators keep what they freed.
FLAT_SHARE = 0.05


class Outcome(StrEnum):
    """What is known of a goal. Open: there is no figure, or not of the settings that the goal asks for."""

    MET = "met"
    MISSED = "missed"
    OPEN = "not measured"


@dataclass(frozen=True)
class Goal:
    """A figure to reach.

    source: the result that it is in. measure: reads it there, or tells what is absent. bar: the least it may be, or,
    where `is_most`, the most. needs: settings of the result that must be at least so large, or it says nothing.
    """

    what: str
    source: str
    measure: Callable[[Mapping[str, Any]], Any]
    bar: float
    unit: str = ""
    is_most: bool = False
    needs: Mapping[str, float] = field(default_factory=dict)

    @property
    def asked(self) -> str:
        """The bar, as text."""
        return f"{'≤' if self.is_most else '≥'} {shown(self.bar)}{self.unit}"


@dataclass(frozen=True)
class Reached:
    """A goal beside what was measured; why: what is missing, of one that is open."""

    goal: Goal
    outcome: Outcome
    value: float | None = None
    why: str = ""

    @property
    def measured(self) -> str:
        """What was measured, or why nothing was, as text."""
        return self.why if self.value is None else f"{shown(self.value)}{self.goal.unit}"


def judge(goal: Goal, found: Found) -> Reached:
    """Hold the newest result against a goal."""
    result = found.get(goal.source)
    if result is None:
        return Reached(goal, Outcome.OPEN, why=f"`{SOURCES[goal.source].command}` has no result")
    for name, least in goal.needs.items():
        setting = figure(result, name)
        if isinstance(setting, Absent) or setting < least:
            return Reached(goal, Outcome.OPEN, why=f"{name} is {shown(setting)}, and {shown(least)} is asked for")
    value = goal.measure(result)
    if value is None or isinstance(value, Absent):
        return Reached(goal, Outcome.OPEN, why=f"the result has {value or 'no such figure'}")
    is_met = value <= goal.bar if goal.is_most else value >= goal.bar
    return Reached(goal, Outcome.MET if is_met else Outcome.MISSED, value)


def _at(path: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda result: figure(result, path)


def _at_half(path: str) -> Callable[[Mapping[str, Any]], Any]:
    """Read a figure of the rate that is half of the maximum: the one nearest to it."""

    def read(result: Mapping[str, Any]) -> Any:
        maximum, rates = figure(result, "max_round_trips_per_s"), figure(result, "rates")
        if isinstance(maximum, Absent) or not isinstance(rates, Sequence) or not rates:
            return maximum if isinstance(maximum, Absent) else Absent("rates")
        half = min(rates, key=lambda row: abs(row["rate"] - maximum * result["share"]))
        return figure(half, path)

    return read


def _cost_us(row: Mapping[str, Any] | Absent) -> Any:
    """Return the computing time of one message in client and workers together."""
    return row if isinstance(row, Absent) else sum(row["cpu_us_each"].values())


def _cost_ratio(series: str, large: int, small: int) -> Callable[[Mapping[str, Any]], Any]:
    def read(result: Mapping[str, Any]) -> Any:
        rows = figure(result, f"by.{series}")
        of_large, of_small = (_cost_us(row_of(rows, **{series: size})) for size in (large, small))
        return next((cost for cost in (of_large, of_small) if isinstance(cost, Absent)), None) or of_large / of_small

    return read


def _second_worker(result: Mapping[str, Any]) -> Any:
    one, two = (row_of(figure(result, "by.workers"), workers=count) for count in (1, 2))
    if isinstance(one, Absent) or isinstance(two, Absent):
        return one if isinstance(one, Absent) else two
    return two["round_trips_per_s"] / one["round_trips_per_s"]


def _most_growth(result: Mapping[str, Any]) -> Any:
    """Return by which share of its memory that process has grown that has grown most."""
    processes = figure(result, "resident")
    if isinstance(processes, Absent) or not processes:
        return Absent("resident")
    return max(each["grown_bytes"] / each["start_bytes"] for each in processes.values())


def _over_peer(name: str, form: str) -> Callable[[Mapping[str, Any]], Any]:
    """Read how many times as fast as a peer Caxton is: its volatile batches, over this form of the peer."""

    def read(result: Mapping[str, Any]) -> Any:
        ours = _peer_rate(result, "caxton", "batched, volatile")
        theirs = _peer_rate(result, name, form)
        return next((rate for rate in (ours, theirs) if isinstance(rate, Absent)), None) or ours / theirs

    return read


def _peer_rate(result: Mapping[str, Any], name: str, form: str) -> Any:
    """Return the round trips a second of the peer whose name holds this one; Absent if it was not measured."""
    rows = figure(result, "peers")
    for row in rows if isinstance(rows, list) else ():
        if name in str(row.get("peer")).lower() and row.get("form") == form and row.get("round_trips_per_s"):
            return row["round_trips_per_s"]
    return Absent(f"{name}, {form}")


_LONG = {"rate": 100_000, "seconds": 300}
GOALS = [
    Goal("volatile throughput over the limit of the same run", "throughput", _at("ratio_to_limit"), 0.65),
    Goal("volatile round trips a second, one worker", "throughput", _at("round_trips_per_s"), 250_000, "/s"),
    Goal("durable throughput over volatile", "durable", _at("ratio_to_volatile"), 0.7),
    Goal("Caxton in batches over Erlang/OTP between two VMs", "peers", _over_peer("erlang", "one by one"), 1.5),
    Goal("Caxton in batches over xoscar one by one", "peers", _over_peer("xoscar", "one by one"), 20),
    Goal("Caxton in batches over Ray one by one", "peers", _over_peer("ray", "one by one"), 60),
    Goal("Caxton in batches over raw pyzmq with msgspec in batches", "peers", _over_peer("pyzmq", "batched"), 0.2),
    Goal("p99 at half of the maximum", "latency", _at_half("latency_us.p99"), 1_000, " µs", is_most=True),
    Goal("p99.9 at half of the maximum", "latency", _at_half("latency_us.p999"), 5_000, " µs", is_most=True),
    Goal("lost at 100,000/s for 300 s", "sustain", _at("lost"), 0, is_most=True, needs=_LONG),
    Goal(
        "growth of the process that has grown most, as a share of its memory",
        "sustain",
        _most_growth,
        FLAT_SHARE,
        is_most=True,
        needs=_LONG,
    ),
    Goal(
        "cost of a message, 100,000 agents over 100",
        "agents_series",
        _cost_ratio("agents", 100_000, 100),
        1.5,
        is_most=True,
    ),
    Goal(
        "cost of a message, 1,000,000 registered agents over 1,000",
        "registered_series",
        _cost_ratio("registered", 1_000_000, 1_000),
        1.5,
        is_most=True,
    ),
    Goal("throughput of two workers over one", "workers_series", _second_worker, 1.0),
]
