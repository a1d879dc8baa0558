"""The plots of a report, as PNG. A plot whose result is not there, or has no such figures, is not drawn."""

import io
from collections.abc import Callable, Mapping, Sequence
from math import log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures import Absent, figure
from bench.report.goals import Found

# Told apart by those who see no colours too: dark and light take turns.
_COLOURS = (
    "#1b4f8a",
    "#e08a1e",
    "#2f8f5b",
    "#b03a5b",
    "#6b4fa0",
    "#4aa3c7",
    "#8a6d3b",
    "#d46ab0",
    "#5c6670",
    "#a3b83c",
)
_DOTS_PER_INCH = 130
_WIDE, _HIGH = 8.0, 4.5
_NINES = {0.0: "0", 90.0: "90", 99.0: "99", 99.9: "99.9", 99.99: "99.99"}
_ROW_HIGH = 0.38


def draw(name: str, found: Found) -> bytes | None:
    """Return the plot of that name, as the bytes of a PNG, or None when there is nothing to draw."""
    drawn = PLOTS[name](found)
    if drawn is None:
        return None
    written = io.BytesIO()
    drawn.savefig(written, format="png", dpi=_DOTS_PER_INCH)
    return written.getvalue()


def latency(found: Found) -> Figure | None:
    """Percentile curves of the open loop, a line for each rate; the axis counts nines."""
    rates = [row for row in _rows(found, "latency", "rates") if row.get("curve")]
    if not rates:
        return None
    drawn, axes = _one()
    rates.sort(key=lambda row: row["rate"])
    for row, colour in zip(rates, _around(len(rates)), strict=True):
        points = [(_nines(percentile), max(1, us)) for percentile, us in row["curve"]]
        axes.plot(*zip(*points, strict=True), label=f"{row['rate']:,}/s", color=colour, linewidth=1.8)
    axes.set(
        xlabel="percentile",
        ylabel="from the intended start to the answer",
        yscale="log",
        title="Latency in an open loop",
    )
    axes.set_xticks([_nines(percentile) for percentile in _NINES], list(_NINES.values()))
    axes.yaxis.set_major_formatter(lambda us, _: f"{us / 1_000:,g} ms")
    axes.legend(title="rate")
    return drawn


def scale(found: Found) -> Figure | None:
    """Round trips a second against agents, registered agents and workers."""
    series = [
        (name, rows)
        for name in ("agents", "registered", "workers")
        if (rows := _rows(found, f"{name}_series", f"by.{name}"))
    ]
    if not series:
        return None
    drawn = Figure(figsize=(_WIDE, _HIGH), layout="constrained")
    every = drawn.subplots(1, len(series), squeeze=False, sharey=True)[0]
    for axes, (name, rows), colour in zip(every, series, _around(len(series)), strict=True):
        sizes = [row[name] for row in rows]
        axes.plot(sizes, [row["round_trips_per_s"] for row in rows], marker="o", color=colour)
        axes.set(xlabel=name if name != "registered" else "registered agents", ylim=(0, None))
        _size_axis(axes, name, sizes)
    every[0].set_ylabel("round trips a second")
    every[0].yaxis.set_major_formatter("{x:,.0f}")
    drawn.suptitle("Throughput against agents and workers")
    return drawn


def payload(found: Found) -> Figure | None:
    """Computing time of one round trip against the bytes of its content, in the client and in the workers."""
    rows = _rows(found, "payload_series", "by.payload")
    if not rows:
        return None
    drawn, axes = _one()
    sizes = [row["payload"] for row in rows]
    costs = {process: [row["cpu_us_each"][process] for row in rows] for process in ("workers", "client")}
    costs["both"] = [sum(each) for each in zip(*costs.values(), strict=True)]
    for (process, of_process), colour in zip(costs.items(), _COLOURS, strict=False):
        axes.plot(sizes, of_process, marker="o", color=colour, label=process)
    for size, cost in zip(sizes, costs["both"], strict=True):
        axes.annotate(f"{cost:,.1f}", (size, cost), (0, 7), textcoords="offset points", ha="center", fontsize=9)
    axes.set_xscale("symlog", linthresh=100)  # linear up to 100, so that no content at all has its place
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="bytes of content", ylabel="µs of computing per round trip", yscale="log")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.set_title("Cost of a message by payload")
    axes.legend()
    return drawn


def budget(found: Found) -> Figure | None:
    """Computing time of one round trip by stage: a bar for each lane and process."""
    bars: dict[str, dict[str, float]] = {}
    for source, lane in (("budget", "volatile"), ("durable_budget", "durable")):
        for row in _rows(found, source, "stages"):
            stages = bars.setdefault(f"{lane}\n{row['process']}", {})
            stages[row["stage"]] = stages.get(row["stage"], 0.0) + row["us_per_turn"]
    if not bars:
        return None
    drawn = Figure(figsize=(_WIDE + 1.5, _HIGH + 1.5), layout="constrained")
    axes = drawn.subplots()
    names = list(dict.fromkeys(stage for stages in bars.values() for stage in stages))
    lefts = [0.0] * len(bars)
    for stage, colour in zip(names, _around(len(names)), strict=True):
        costs = [stages.get(stage, 0.0) for stages in bars.values()]
        hatch = None if names.index(stage) < len(_COLOURS) else "//"
        axes.bar(
            list(bars), costs, bottom=lefts, label=stage, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4
        )
        lefts = [before + cost for before, cost in zip(lefts, costs, strict=True)]
    axes.set(ylabel="µs of computing per round trip", title="Where a round trip's microseconds go")
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return drawn


def peers(found: Found) -> Figure | None:
    """Round trips a second of each peer and form, on a logarithmic axis, the fastest on top."""
    rows = [row for row in _rows(found, "peers", "peers") if row.get("round_trips_per_s")]
    if not rows:
        return None
    rows.sort(key=lambda row: row["round_trips_per_s"])
    drawn = Figure(figsize=(_WIDE, 1.4 + _ROW_HIGH * len(rows)), layout="constrained")
    axes = drawn.subplots()
    rates = [row["round_trips_per_s"] for row in rows]
    colours = [_COLOURS[0] if "caxton" in str(row["peer"]).lower() else _COLOURS[8] for row in rows]
    bars = axes.barh([f"{row['peer']}, {row['form']}" for row in rows], rates, color=colours)
    axes.bar_label(bars, [f"{rate:,}" for rate in rates], padding=3, fontsize=8)
    axes.set(xscale="log", xlim=(min(rates) / 2, max(rates) * 4), xlabel="round trips a second (logarithmic)")
    axes.set_title("The same work on peers, in one run")
    return drawn


PLOTS: dict[str, Callable[[Found], Figure | None]] = {
    "latency": latency,
    "scale": scale,
    "payload": payload,
    "budget": budget,
    "peers": peers,
}


def _one() -> tuple[Figure, Axes]:
    drawn = Figure(figsize=(_WIDE, _HIGH), layout="constrained")
    axes = drawn.subplots()
    axes.grid(visible=True, which="major", axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return drawn, axes


def _rows(found: Found, source: str, path: str) -> list[Mapping[str, Any]]:
    result = found.get(source)
    rows = Absent(path) if result is None else figure(result, path)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, Sequence) else []


def _nines(percentile: float) -> float:
    """Return where a percentile stands on an axis on which 90, 99, 99.9 are equally far apart."""
    return -log10(1 - percentile / 100)


def _around(count: int) -> list[str]:
    return [_COLOURS[number % len(_COLOURS)] for number in range(count)]


def _size_axis(axes: Axes, name: str, sizes: Sequence[int]) -> None:
    if name != "workers":
        axes.set_xscale("log")
    axes.set_xticks(list(sizes), [_short(size) for size in sizes])
    axes.minorticks_off()
    axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.6)


def _short(size: int) -> str:
    """Return 100k for 100,000, and 1M for a million."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{name}"
    return str(size)
