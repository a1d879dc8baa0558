"""The results that a report is made of: which run each comes from, and the command that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.report.figures import Absent, figure
from bench.results import Results


@dataclass(frozen=True)
class Source:
    """One result, the newest of its question and settings.

    has: a figure that it must have, by its path; a run of one series is no source for another. whole: settings of a run
    that was long or large enough; the newest such run is preferred to newer ones that were not. words: of the command
    that makes it. quick_words: of one that takes seconds, and whose figures show no more than that it works.
    """

    question: str
    words: str
    quick_words: str
    settings: Mapping[str, object] = field(default_factory=dict)
    has: str | None = None
    whole: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What makes the result."""
        return f"python -m bench {self.words}"

    def find(self, results: Results) -> dict[str, Any] | None:
        """Return the newest result of this source, a whole one if there is any, or None."""
        fitting = [result for result in results.newest_first(self.question) if self._is(result)]
        return next(filter(self._is_whole, fitting), next(iter(fitting), None))

    def _is(self, result: Mapping[str, Any]) -> bool:
        fits = all(result.get(name) == value for name, value in self.settings.items())
        return fits and (self.has is None or not isinstance(figure(result, self.has), Absent))

    def _is_whole(self, result: Mapping[str, Any]) -> bool:
        return all(_reaches(result.get(name), least) for name, least in self.whole.items())


def _reaches(value: object, least: float | None) -> bool:
    """Whether a setting is at least so large; None, without a bound, is the largest."""
    return value is None or (least is not None and isinstance(value, int | float) and value >= least)


_USUAL = {"workers": 1, "agents": 1_000, "payload": 100}
_TALKS = "conversations --seconds 1 --agents 20"
_SCALE = "scale --seconds 3", "scale --seconds 1 --most 1000"


def _series(name: str) -> Source:
    return Source("scale", *_SCALE, has=f"by.{name}", whole={"most": None})


SOURCES = {
    "throughput": Source(
        "throughput",
        "throughput --workers 1 --agents 1000 --payload 100 --seconds 10",
        "throughput --seconds 1",
        _USUAL | {"lane": "volatile"},
    ),
    "durable": Source(
        "throughput",
        "throughput --lane durable --seconds 10",
        "throughput --lane durable --seconds 1",
        _USUAL | {"lane": "durable"},
    ),
    "latency": Source(
        "latency",
        "latency --rates 50000,100000,150000 --share 0.5 --seconds 10",
        "latency --rates 10000 --share 0.5 --seconds 1",
        _USUAL | {"lane": "volatile", "share": 0.5},
    ),
    "sustain": Source(
        "sustain",
        "sustain --rate 100000 --seconds 300",
        "sustain --rate 10000 --seconds 2",
        _USUAL | {"lane": "volatile"},
        whole={"rate": 100_000, "seconds": 300},
    ),
    "agents_series": _series("agents"),
    "payload_series": _series("payload"),
    "workers_series": _series("workers"),
    "registered_series": _series("registered"),
    "conversations": Source("conversations", "conversations", _TALKS, {"lane": "volatile"}, has="nets"),
    "durable_conversations": Source(
        "conversations", "conversations --lane durable", f"{_TALKS} --lane durable", {"lane": "durable"}, has="nets"
    ),
    "lookup": Source("lookup", "lookup", "lookup --most 1000 --count 100"),
    "agents": Source("agents", "agents", "agents --agents 500 --starts 1"),
    "budget": Source(
        "budget", "budget --seconds 10", "budget --seconds 1", {"lane": "volatile", "agents": 1_000, "payload": 100}
    ),
    "durable_budget": Source(
        "budget",
        "budget --lane durable --seconds 10",
        "budget --lane durable --seconds 1",
        {"lane": "durable", "agents": 1_000, "payload": 100},
    ),
    "limit": Source("limit", "limit --seconds 5", "limit --seconds 1", has="stages"),
    "peers": Source("peers", "peers", "peers --seconds 1"),
}


def commands(*, quick: bool = False) -> list[str]:
    """Return the words of each command that makes a source, each once, in the order of the report."""
    return list(dict.fromkeys(source.quick_words if quick else source.words for source in SOURCES.values()))
