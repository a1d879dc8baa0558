"""What a message costs when something grows: agents, payload, workers, or agents that are only registered."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.load.series import BASES, By, Crowd, Setting, settings_of, sizes_of
from bench.load.site import Site
from bench.load.stretch import WARM_UP_S, Stretch
from bench.options import RESULTS_DIR, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import Served, serving
from caxton.cli.output import FAILED, Format, Output, reports_errors
from workers.sandbox.engine import GuestEngine

# Each size is measured once on the way up and once on the way down: a machine that changes its pace changes both ends.
TURNS = 2


@dataclass(frozen=True)
class Plan:
    """series: what grows, one after the other. seconds: of measurement of each size. most: the largest size, or None.

    Raises ConfigurationError when `most` leaves a series without a size.
    """

    series: tuple[By, ...]
    seconds: float
    most: int | None

    def __post_init__(self) -> None:
        for by in self.series:
            self.sizes(by)

    @property
    def total_s(self) -> float:
        """How long the stretches take, about; to register and to wake the agents comes on top."""
        return sum(len(self.sizes(by)) for by in self.series) * self.size_s

    @property
    def size_s(self) -> float:
        """How long all stretches of one size take."""
        return self.seconds + TURNS * WARM_UP_S

    def sizes(self, by: By) -> list[int]:
        """Return the sizes of a series on this machine."""
        return sizes_of(by, len(os.sched_getaffinity(0)), self.most)


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measure one series after the other; the counts are of all of them together."""
    sandboxes_per_worker = GuestEngine().max_sandboxes
    by: dict[str, list[dict[str, Any]]] = {}
    costs: dict[str, dict[str, float]] = {}
    counts: Counter[str] = Counter()
    done_s = 0.0
    for grows in plan.series:
        settings = settings_of(grows, plan.sizes(grows), sandboxes_per_worker)
        rows = _Series(grows, settings, plan.seconds / TURNS, bar, done_s).measure(counts)
        by[grows.value] = rows
        costs[grows.value] = largest_to_base(grows, rows)
        done_s += len(settings) * plan.size_s
    return {
        "by": by,
        "largest_to_base": costs,
        **counts,
        "seconds": plan.seconds,
        "turns": TURNS,
        "most": plan.most,
        "sandboxes_per_worker": sandboxes_per_worker,
    }


class _Series:
    """All runtimes of a series live at once, so that the sizes take turns; those that wait are idle."""

    def __init__(self, by: By, settings: list[Setting], stretch_s: float, bar: Bar, done_s: float) -> None:
        self._by = by
        self._settings = settings
        self._stretch_s = stretch_s
        self._bar = bar
        self._done_s = done_s

    def measure(self, counts: Counter[str]) -> list[dict[str, Any]]:
        """Return a row for each size, and add to the counts what became of all messages."""
        crowds = dict.fromkeys(setting.crowd for setting in self._settings)
        with ExitStack() as runtimes:
            served = {crowd: runtimes.enter_context(serving(crowd.workers)) for crowd in crowds}
            return uvloop.run(self._measure(served, counts))

    async def _measure(self, served: dict[Crowd, Served], counts: Counter[str]) -> list[dict[str, Any]]:
        stretches: dict[Setting, list[Stretch]] = {setting: [] for setting in self._settings}
        unanswered: Counter[Setting] = Counter()
        async with AsyncExitStack() as clients:
            sites = {}
            for crowd, where in served.items():
                client = await clients.enter_async_context(caxton.connect(where.runtime_dir))
                of_crowd = [setting for setting in self._settings if setting.crowd == crowd]
                sites[crowd] = site = Site(client, of_crowd)
                await site.fill(lambda count: self._bar.show(self._done_s, f"{count:,} registered"))
            for setting in up_and_down(self._settings):
                show = self._bar.after(self._done_s, f"{setting.size:,} {self._by}: ")
                stretch, without_answer = await sites[setting.crowd].run(setting, self._stretch_s, show)
                stretches[setting].append(stretch)
                unanswered[setting] += without_answer
                self._done_s += self._stretch_s + WARM_UP_S
            for site in sites.values():
                counts.update(await site.counts())
        wholes = {setting: sum(some[1:], start=some[0]) for setting, some in stretches.items()}
        return [
            row | {"unanswered": unanswered[setting]} | self._registration(sites[setting.crowd])
            for setting, row in rows_of(self._by, wholes)
        ]

    def _registration(self, site: Site) -> dict[str, float]:
        if self._by is not By.REGISTERED:
            return {}
        return {"register_per_s": site.register_per_s, "registered_kb_each": site.registered_kb_each}


def up_and_down(settings: Sequence[Setting]) -> list[Setting]:
    """Return the order in which sizes are measured."""
    return [*settings, *reversed(settings)]


def rows_of(by: By, wholes: Mapping[Setting, Stretch]) -> list[tuple[Setting, dict[str, Any]]]:
    """Return a row for each size, in the order of the sizes; `ratio_to_first` is of the computing time of a message."""
    first_us = _cost_us(next(iter(wholes.values())))
    return [
        (setting, _row(by, setting, whole) | {"ratio_to_first": round(_cost_us(whole) / first_us, 3)})
        for setting, whole in wholes.items()
    ]


def largest_to_base(by: By, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return by how much a message costs more with the largest size than with the base of its series, or the first."""
    base = next((row for row in rows if row[by.value] == BASES[by]), rows[0])
    largest = rows[-1]
    ratio = round(largest["ratio_to_first"] / base["ratio_to_first"], 3)
    return {"largest": largest[by.value], "base": base[by.value], "ratio": ratio}


def _row(by: By, setting: Setting, whole: Stretch) -> dict[str, Any]:
    # What the series does not vary comes along: a row says by itself what it was measured with.
    about = {"agents": setting.agents, "payload": setting.payload, "workers": setting.crowd.workers}
    return {
        by.value: setting.size,
        "round_trips_per_s": round(whole.per_s),
        "cpu_us_each": whole.cpu_us_each(),
        **{name: value for name, value in about.items() if name != by.value},
        "window": setting.window,
    }


def _cost_us(whole: Stretch) -> float:
    return sum(whole.cpu_us_each().values())


EXAMPLES = "Examples: python -m bench scale -o json; python -m bench scale --by agents --most 10000 --seconds 2"


@reports_errors
def scale(
    by: Annotated[By | None, typer.Option(help="What grows; otherwise all four, one after the other.")] = None,
    seconds: Annotated[
        float, typer.Option(min=1.0, help="Of measurement of each size, half on the way up, half on the way down.")
    ] = 3.0,
    most: Annotated[
        int | None, typer.Option(min=0, help="The largest size of each series.", show_default=False)
    ] = None,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """What a message costs, in computing time and rate, against agents, payload, workers and registered agents.

    In its full length it needs about 5 GB of memory and some minutes. Exit code 1 when a message was not answered: then
    a figure does not say what it seems to.
    """
    plan = Plan(tuple(By) if by is None else (by,), seconds, most)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("scale", result, output, results)
    if result["refused"] or result["lost"] or result["lost_by_stats"]:
        raise typer.Exit(FAILED)
