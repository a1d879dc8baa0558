"""The sections of a report, in their order: what each says, what it is made from, and which plots it shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import tables
from bench.report.figures import Absent, figure, shown
from bench.report.goals import Found, Outcome, Reached
from bench.report.sources import SOURCES
from bench.report.tables import Table


@dataclass(frozen=True)
class Part:
    """A result within a section, and what makes its tables."""

    source: str
    tables: Callable[[Mapping[str, Any]], list[Table]]


@dataclass(frozen=True)
class Section:
    """parts: the results that it shows. plots: names of those that follow them; one without figures is left out."""

    title: str
    says: str
    parts: Sequence[Part]
    plots: Sequence[str] = ()


SECTIONS = [
    Section(
        "Throughput",
        "Round trips through the sandbox in a closed loop: delivered, run, answered, received.",
        [Part("throughput", tables.every_figure), Part("durable", tables.every_figure)],
    ),
    Section(
        "Latency",
        "An open loop: messages start when they are to, whatever the answers do, so that waiting is counted.",
        [Part("latency", tables.latency)],
        ["latency"],
    ),
    Section(
        "Sustained load",
        "One rate for a time: what was lost, and whether memory grows.",
        [Part("sustain", tables.sustain)],
    ),
    Section(
        "Scale",
        "What a message costs when agents, workers, bytes or registered agents become more.",
        [
            Part("agents_series", tables.series("agents")),
            Part("workers_series", tables.series("workers")),
            Part("payload_series", tables.series("payload")),
            Part("registered_series", tables.series("registered")),
        ],
        ["scale", "payload"],
    ),
    Section(
        "Conversations",
        "Every message in a conversation, by a protocol or by none, beside the same without; and contract nets.",
        [Part("conversations", tables.conversations), Part("durable_conversations", tables.conversations)],
    ),
    Section("Lookups", "Which agent is where, with more and more of them.", [Part("lookup", tables.lookup)]),
    Section(
        "Agents", "Starts, deployments, and the memory that an agent takes.", [Part("agents", tables.every_figure)]
    ),
    Section(
        "Budget",
        "Where the microseconds of a round trip go, in the worker and in the client.",
        [Part("budget", tables.budget), Part("durable_budget", tables.budget)],
        ["budget"],
    ),
    Section(
        "Limit",
        "Bare loops without a runtime, each with one thing more than the one before.",
        [Part("limit", tables.limit)],
    ),
    Section("Peers", "The same work by others, in one run.", [Part("peers", tables.peers)], ["peers"]),
]


def origin(source: str, result: Mapping[str, Any] | None) -> str:
    """Say where a result comes from, on which machine it was made and by which command; or how to make it."""
    if result is None:
        return f"Not measured: `{SOURCES[source].command}` makes this result."
    machine = {name: shown(figure(result, f"machine.{name}")) for name in ("date", "cpu", "cores", "python", "commit")}
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['python']}, "
        f"commit {machine['commit']}: {_command(result)}"
    )


def goals_table(reached: Sequence[Reached], found: Found) -> Table:
    """Return the figures to reach: bar, measured value, whether it is met, and what measured it."""
    rows = [
        [each.goal.what, each.goal.asked, each.measured, each.outcome.value, _measured_by(each, found)]
        for each in reached
    ]
    return Table(["figure", "bar", "measured", "outcome", "date, commit and command"], rows)


def summary(reached: Sequence[Reached]) -> str:
    """Count the outcomes, in words."""
    counts = {outcome: sum(each.outcome is outcome for each in reached) for outcome in Outcome}
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())


def _measured_by(reached: Reached, found: Found) -> str:
    result = found.get(reached.goal.source)
    if result is None:
        return f"`{SOURCES[reached.goal.source].command}`"
    date, commit = (shown(figure(result, f"machine.{name}")) for name in ("date", "commit"))
    return f"{date}, {commit}: {_command(result)}"


def _command(result: Mapping[str, Any]) -> str:
    command = figure(result, "command")
    return "the result names no command" if isinstance(command, Absent) else f"`{command}`"
