"""Tables of figures, as rows of text: what each section of a report shows of its result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report.figures import Absent, figure, flat, shown

# What every result has, or what is no figure: said elsewhere, or drawn.
_NO_FIGURES = {"question", "machine", "command", "hot", "samples", "verdicts"}


@dataclass(frozen=True)
class Table:
    """columns: their names. rows: a text for each column. caption: what it is of; empty where that is plain."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


def by_row(rows: object, caption: str = "", first: Sequence[str] = ()) -> Table:
    """Return one line for each row of a result, with all its figures; `first` names columns that come before others.

    A figure that a row does not have is a dash. What is no list of rows gives a table that says so.
    """
    flattened = [dict(flat(row)) for row in rows if isinstance(row, Mapping)] if isinstance(rows, Sequence) else []
    if not flattened:
        return Table(["figure", "value"], [[caption or "rows", str(rows) if isinstance(rows, Absent) else "no rows"]])
    every = dict.fromkeys([*first, *(name for row in flattened for name in row)])
    parents = {name.rpartition(".")[0] for name in every}  # None in one row, and figures of their own in another
    columns = [name for name in every if name not in parents]
    return Table(columns, [[shown(row.get(name)) for name in columns] for row in flattened], caption)


def by_figure(result: Mapping[str, Any], caption: str = "", paths: Iterable[str] | None = None) -> Table:
    """Return one line for each figure of a result; with `paths` of those alone, and one that is absent is named."""
    if paths is None:
        found = flat({name: value for name, value in result.items() if name not in _NO_FIGURES})
    else:
        found = iter([(path, figure(result, path)) for path in paths])
    return Table(["figure", "value"], [[name, shown(value)] for name, value in found], caption)


def every_figure(result: Mapping[str, Any]) -> list[Table]:
    """Return a line for each figure of a result, as it is."""
    return [by_figure(result)]


def latency(result: Mapping[str, Any]) -> list[Table]:
    """Return a line for each rate."""
    return [by_row(figure(result, "rates"), "by rate", ["rate"])]


def sustain(result: Mapping[str, Any]) -> list[Table]:
    """Return what became of the messages, and the memory of each process."""
    kept = {name: value for name, value in result.items() if name != "resident"}
    resident = figure(result, "resident")
    processes = (
        [{"process": name, **of} for name, of in resident.items()] if isinstance(resident, Mapping) else resident
    )
    return [by_figure(kept), by_row(processes, "resident memory")]


def series(name: str) -> Callable[[Mapping[str, Any]], list[Table]]:
    """Return what makes the table of one series of `scale`: a line for each size."""
    return lambda result: [by_row(figure(result, f"by.{name}"), f"by {name}", [name])]


def conversations(result: Mapping[str, Any]) -> list[Table]:
    """Return a line for each load, and one for each size of a contract net."""
    loads = by_row(figure(result, "loads"), "round trips", ["load"])
    return [loads, by_row(figure(result, "nets"), "contract nets", ["bidders"])]


def lookup(result: Mapping[str, Any]) -> list[Table]:
    """Return a table for each list of rows, wherever it is."""
    return [
        by_row(figure(result, f"{where}.{kind}"), f"{where.replace('_', ' ')}, {kind}")
        for where in ("in_process", "over_the_wire")
        for kind in ("sizes", "batches")
    ]


def budget(result: Mapping[str, Any]) -> list[Table]:
    """Return the microseconds of processes and threads, then of stages."""
    totals = figure(result, "us_per_turn")
    return [
        by_figure(totals if isinstance(totals, Mapping) else {}, "microseconds of computing per round trip"),
        by_row(figure(result, "stages"), "by stage", ["process", "thread", "stage"]),
    ]


def limit(result: Mapping[str, Any]) -> list[Table]:
    """Return a line for each stage, and how the stand-alone script compares."""
    beside = ["stand_alone_round_trips_per_s", "sandbox_to_stand_alone"]
    return [by_row(figure(result, "stages"), "bare loops", ["stage"]), by_figure(result, "beside them", beside)]


def peers(result: Mapping[str, Any]) -> list[Table]:
    """Return a line for each peer and form, the fastest first, and the ratios; then the same of contract nets.

    Results of before there were contract nets have none.
    """
    requests = _ranked(result, "peers", "round_trips_per_s", "ratio")
    nets = _ranked(result, "contract_nets", "rounds_per_s", "contract_net_ratio")
    return requests if isinstance(figure(result, "contract_nets"), Absent) else requests + nets


def _ranked(result: Mapping[str, Any], name: str, rate: str, ratio: str) -> list[Table]:
    rows, ratios = figure(result, name), figure(result, f"{ratio}s")
    ranked = sorted(rows, key=lambda row: -(row.get(rate) or 0)) if isinstance(rows, list) else rows
    meaning = shown(result.get(f"{ratio}_is", f"{ratio}s"))
    of_ratios = by_figure(ratios, meaning) if isinstance(ratios, Mapping) else by_row(ratios, meaning)
    return [by_row(ranked, name.replace("_", " "), ["peer", "form", "status", rate]), of_ratios]
