"""A report before it is written: its figures to reach, and its sections with their tables and plots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.report.goals import GOALS, Found, Reached, judge
from bench.report.sections import SECTIONS, Section, goals_table, origin, summary
from bench.report.sources import SOURCES
from bench.report.tables import Table
from bench.results import Results

# Draws a plot by its name; None when its figures are not there.
Draw = Callable[[str, Found], bytes | None]


@dataclass(frozen=True)
class Shown:
    """A result in a section: where it comes from, or how to make it, and its tables, none without a result."""

    origin: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Chapter:
    """plots: the PNG of each plot that could be drawn, by name."""

    title: str
    says: str
    results: Sequence[Shown]
    plots: Mapping[str, bytes]


@dataclass(frozen=True)
class Document:
    """reached: each goal, beside what was measured. missing: the commands of results that are not there."""

    reached: Sequence[Reached]
    goals: Table
    summary: str
    missing: Sequence[str]
    chapters: Sequence[Chapter]


def compose(results: Results, draw: Draw) -> Document:
    """Make a report of the newest results."""
    found: Found = {name: source.find(results) for name, source in SOURCES.items()}
    reached = [judge(goal, found) for goal in GOALS]
    chapters = [_chapter(section, found, draw) for section in SECTIONS]
    missing = list(dict.fromkeys(SOURCES[name].command for name, result in found.items() if result is None))
    return Document(reached, goals_table(reached, found), summary(reached), missing, chapters)


def _chapter(section: Section, found: Found, draw: Draw) -> Chapter:
    shown = []
    for part in section.parts:
        result = found[part.source]
        shown.append(Shown(origin(part.source, result), [] if result is None else part.tables(result)))
    plots = {name: png for name in section.plots if (png := draw(name, found)) is not None}
    return Chapter(section.title, section.says, shown, plots)
