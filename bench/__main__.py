"""The bench's command line: a question is a subcommand, and a subcommand one line here. `python -m bench --help`."""

import signal
from typing import NoReturn

import typer

try:
    from bench.questions import (
        agents,
        attached,
        book,
        budget,
        capability,
        check,
        clients,
        contents,
        conversations,
        dashboard,
        flow,
        gateway,
        hops,
        kill,
        latency,
        limit,
        lookup,
        peers,
        profile,
        recovery,
        report,
        request,
        scale,
        scrape,
        store,
        sustain,
        throughput,
    )
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.partition(".")[0] in {"bench", "caxton", "workers"}:
        raise
    raise SystemExit(f"the bench needs {missing.name}, which is not installed; pip install '.[bench]'") from None

app = typer.Typer(
    name="python -m bench",
    help="Measures Caxton on this machine. Each subcommand starts a runtime of its own and stops it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog=throughput.EXAMPLES)(throughput.throughput)
app.command(epilog=latency.EXAMPLES)(latency.latency)
app.command(epilog=sustain.EXAMPLES)(sustain.sustain)
app.command(epilog=hops.EXAMPLES)(hops.hops)
app.command(epilog=flow.EXAMPLES)(flow.flow)
app.command(epilog=request.EXAMPLES)(request.request)
app.command(epilog=gateway.EXAMPLES)(gateway.gateway)
app.command(epilog=scrape.EXAMPLES)(scrape.scrape)
app.command(epilog=dashboard.EXAMPLES)(dashboard.dashboard)
app.command(epilog=clients.EXAMPLES)(clients.clients)
app.command(epilog=contents.EXAMPLES)(contents.contents)
app.command(epilog=agents.EXAMPLES)(agents.agents)
app.command(epilog=attached.EXAMPLES)(attached.attached)
app.command(epilog=budget.EXAMPLES)(budget.budget)
app.command(epilog=limit.EXAMPLES)(limit.limit)
app.command(epilog=check.EXAMPLES)(check.check)
app.command(epilog=peers.EXAMPLES)(peers.peers)
app.command(epilog=profile.EXAMPLES)(profile.profile)
app.command(epilog=scale.EXAMPLES)(scale.scale)
app.command(epilog=lookup.EXAMPLES)(lookup.lookup)
app.command(epilog=capability.EXAMPLES)(capability.capability)
app.command(epilog=conversations.EXAMPLES)(conversations.conversations)
app.command(epilog=book.EXAMPLES)(book.book)
app.command(epilog=kill.EXAMPLES)(kill.kill)
app.command(epilog=recovery.EXAMPLES)(recovery.recovery)
app.command(epilog=store.EXAMPLES)(store.store)
app.command(epilog=report.EXAMPLES)(report.report)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does: the runtime that is measured is stopped first
    app()
