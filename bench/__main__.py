"""The bench's command line: a question is a subcommand, and a subcommand one line here. `python -m bench --help`."""

import signal
from typing import NoReturn

import typer

from bench.commands import agents, hops, kill, recovery, request, throughput

app = typer.Typer(
    name="python -m bench",
    help="Measures Caxton on this machine. Each subcommand starts a runtime of its own and stops it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog=throughput.EXAMPLES)(throughput.throughput)
app.command(epilog=hops.EXAMPLES)(hops.hops)
app.command(epilog=request.EXAMPLES)(request.request)
app.command(epilog=agents.EXAMPLES)(agents.agents)
app.command(epilog=kill.EXAMPLES)(kill.kill)
app.command(epilog=recovery.EXAMPLES)(recovery.recovery)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does: the runtime that is measured is stopped first
    app()
