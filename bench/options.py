"""Options that several subcommands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.load.lanes import DEFAULT_WINDOWS
from caxton.acl.options import Lane
from caxton.placement.slot_table import MAX_WORKERS

RESULTS_DIR = Path(__file__).with_name("results")

Workers = Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Worker processes.")]
Agents = Annotated[int, typer.Option(min=1, help="Echo agents.")]
Payload = Annotated[int, typer.Option(min=0, max=65_536, help="Bytes of content in each message.")]
Traces = Annotated[
    float, typer.Option(min=0, max=1, help="Share of traces to sample in a further measurement, 0 for none.")
]
CallGraphToo = Annotated[
    bool, typer.Option("--call-graph", help="Measure also what it costs while somebody asks who talks to whom.")
]
Window = Annotated[int, typer.Option(min=1, help="Batches of 256 requests under way.")]
LanesWindow = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Batches of 256 requests under way. Otherwise "
        + ", ".join(f"{window} on the {lane.name.lower()} lane" for lane, window in DEFAULT_WINDOWS.items())
        + ".",
        show_default=False,
    ),
]
Seconds = Annotated[float, typer.Option(min=1.0, help="Of measurement, after a warm-up of one.")]
TickUs = Annotated[
    int,
    typer.Option(min=100, max=100_000, help="Microseconds from one batch to the next: what is due by then is sent."),
]
ResultsDir = Annotated[Path, typer.Option("--results", help="Folder that the result is saved in, as JSON.")]


class LaneName(StrEnum):
    """The lane of the messages."""

    VOLATILE = "volatile"
    DURABLE = "durable"

    @property
    def lane(self) -> Lane:
        """The lane of this name."""
        return Lane[self.name]

    def window(self, given: int | None) -> int:
        """Return the window that was given, or else the one of this lane."""
        return DEFAULT_WINDOWS[self.lane] if given is None else given


LaneOption = Annotated[LaneName, typer.Option(help="Reliability of the messages.")]
