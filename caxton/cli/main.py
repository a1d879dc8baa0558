"""The command line. A command is one line here, and is loaded when it is meant: help is there at once."""

import sys
from typing import Annotated

import typer

from caxton import __version__
from caxton.cli import streams
from caxton.cli.command_group import CommandGroup
from caxton.cli.elsewhere import (
    CaOption,
    CertOption,
    InsecureHttpOption,
    TokenFileOption,
    TokenOption,
    UrlOption,
    take,
)

# Each is a module of `caxton.cli.commands`; a test holds these words to what it says of itself.
COMMANDS = {
    "serve": "Run the runtime in the foreground until Ctrl-C, SIGTERM or `caxton stop`.",
    "config": "What `caxton serve` is told by flags, the environment, a file and a preset.",
    "doctor": "Look whether this machine serves well, and say what to change.",
    "stop": "Have the runtime finish what is under way and end; returns when it has ended.",
    "reshard": "Give the data directory of a stopped runtime another number of workers; nothing in it is lost.",
    "backup": "Copy everything that a runtime keeps into a directory, while it goes on.",
    "restore": "Make a new data directory from a backup, which is looked through before it can be served.",
    "restart": "Restart every worker, one after the other, while the others serve; no durable message is lost.",
    "health": "Show whether everything is well; if not, why, since when and what to do.",
    "stats": "Show what stands out, what happens now, how long it takes, and what this run did, refused and lost.",
    "top": "Watch workers, rates, times, mailboxes and the busiest agents on a screen; q or Ctrl-C ends it.",
    "graph": "Show who talks to whom, how much, and what of it fails: the busiest pairs of the last seconds.",
    "ledger": "Account for every message of the durable lane, ever, and show what this run lost of the volatile one.",
    "apply": "Make agents what a file says: deploy what is new, change what differs, and touch nothing else.",
    "agent": "Deploy agents, look at them, pause, drain, stop and remove them.",
    "message": "Talk to agents.",
    "capability": "See which agents can do what, and let them have other capabilities.",
    "protocol": "Negotiate with agents by FIPA's interaction protocols.",
    "attach": "Be the program of agents written in Python, until Ctrl-C or SIGTERM.",
    "conversation": "What agents and clients say to each other, by conversation.",
    "events": "Show what happened in this run: agents, workers, health, limits, the gateway; and what happens, live.",
    "audit": "What was done, for whom, and what was denied; and whether that was changed since.",
    "watch": "Show the messages of an agent or of a conversation as they go by, until Ctrl-C.",
    "trace": "Show where a sampled message went, what it caused and how long each step took, as a tree.",
    "deadletter": "Messages that came to nothing: look at them, send them again, forget them.",
    "token": "Tokens with which others come in by the gateway: make them, list them, revoke them.",
    "demo": "See agents at work.",
}


class Commands(CommandGroup):
    """The commands of `caxton`."""

    lines = COMMANDS


app = typer.Typer(
    name="caxton",
    cls=Commands,
    help="Many WebAssembly agents that nobody has to trust, talking in FIPA-ACL messages.",
    epilog="Examples: caxton serve --workers 2; caxton agent deploy echo echo.wasm; caxton message request echo hello; "
    "caxton deadletter list --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"caxton {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[  # noqa: ARG001 (its callback does it)
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    insecure_http: InsecureHttpOption = False,
) -> None:
    """Take the options that stand before any command."""
    take(url, token, token_file, ca, cert, insecure_http)


def main() -> None:
    """Run the command line; ends the process with the exit code."""
    streams.prepare()
    try:
        app()
    except streams.OutputFailed as failure:
        if not failure.quiet:
            sys.stderr.write(f"caxton: standard output: {failure}; what was asked for may be done all the same\n")
        sys.exit(1)
