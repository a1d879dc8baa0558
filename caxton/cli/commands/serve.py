"""`caxton serve`."""

import asyncio
import os
import select
import sys
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.config.settings import DRAIN_TIMEOUT_S, RESTART_LIMIT, ServeSettings, data_directory
from caxton.placement.slot_table import MAX_WORKERS
from caxton.supervisor.events import Event
from caxton.supervisor.supervisor import Supervisor

EXAMPLES = "Examples: caxton serve; caxton serve --workers 2 --data-dir ./data --runtime-dir ./run -o json"


@reports_errors
def serve(
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_WORKERS,
            help="Worker processes, one shard each; fixed when a data directory is made. Otherwise one for each core.",
            show_default=False,
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where shards keep their files. Otherwise CAXTON_DATA_DIR or ~/.local/share/caxton."),
    ] = None,
    restart_limit: Annotated[
        int, typer.Option(min=0, help="Restarts of one worker in 30 s, then its shard has failed.")
    ] = (RESTART_LIMIT),
    drain_timeout: Annotated[float, typer.Option(min=0.0, help="Seconds to finish what is under way when stopped.")] = (
        DRAIN_TIMEOUT_S
    ),
    output: Output = Format.TEXT,
) -> None:
    """Run the runtime in the foreground until Ctrl-C, SIGTERM or `caxton stop`."""
    settings = ServeSettings(
        runtime_dir=resolve_runtime_dir(runtime_dir),
        data_dir=data_directory(data_dir, os.environ),
        workers=workers,
        restart_limit=restart_limit,
        drain_timeout_s=drain_timeout,
    )

    raise typer.Exit(asyncio.run(Supervisor(settings, _Announcer(output).tell).run()))


class _Announcer:
    """Prints events, and never lets the runtime wait, or end, for a reader of its output that does not read."""

    def __init__(self, output: Format) -> None:
        self._output = output
        self._missed = 0

    def tell(self, event: Event) -> None:
        """Print an event; one that finds no room is counted, and the next one that does says how many were missed."""
        if not select.select([], [sys.stdout], [], 0)[1]:
            self._missed += 1
            return
        missed, self._missed = self._missed, 0
        try:
            self._print(event, missed)
        except BrokenPipeError:
            # Nobody will read any more; what is still in the buffer must not fail at the exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _print(self, event: Event, missed: int) -> None:
        if self._output is Format.JSON:
            print_json(
                {"event": event.name, "level": event.level, "text": event.text, **event.fields, "missed": missed}
            )
        else:
            print_text(f"{event.text} ({missed} lines before this one were not shown)" if missed else event.text)
