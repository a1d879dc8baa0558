"""The command line. A command is one line here."""

import sys

import typer

from caxton.cli import streams
from caxton.cli.commands import agent, deadletter, demo, health, ledger, message, restart, serve, stats, stop
from caxton.cli.output import FAILED

app = typer.Typer(
    name="caxton",
    help="Many WebAssembly agents that nobody has to trust, talking in FIPA-ACL messages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog=stop.EXAMPLES)(stop.stop)
app.command(epilog=restart.EXAMPLES)(restart.restart)
app.command(epilog=health.EXAMPLES)(health.health)
app.command(epilog=stats.EXAMPLES)(stats.stats)
app.command(epilog=ledger.EXAMPLES)(ledger.ledger)
app.add_typer(agent.app)
app.add_typer(message.app)
app.add_typer(deadletter.app)
app.add_typer(demo.app)


def main() -> None:
    """Run the command line; ends the process with the exit code."""
    streams.prepare()
    try:
        app()
        sys.stdout.flush()
    except streams.OutputFailed as failure:
        if not failure.quiet:
            sys.stderr.write(f"caxton: standard output: {failure}; what was asked for may be done all the same\n")
        sys.exit(FAILED)
