"""`caxton ledger`."""

from typing import Any

import msgspec
import typer

from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.cli.session import with_client
from caxton.client.client import Client
from caxton.store.ledger import Figures, Ledger
from caxton.wire.told import RouterStats

EXAMPLES = "Examples: caxton ledger; caxton ledger -o json; caxton ledger && echo every message is accounted for"
# What the run's counters say of the volatile lane; messages of both lanes are in them.
_COUNTED = ("taken_from_sessions", "emitted_to_sessions", "run", "failed", "refused", "expired")
_TERMS = (
    "accepted",
    "arrived",
    "processed",
    "dead",
    "expired",
    "pending",
    "in_flight",
    "passed_on",
    "balanced",
)


@reports_errors
def ledger(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Account for every message of the durable lane, ever, and show what this run lost of the volatile one.

    Exits with 1 when the books of a shard do not balance, and names it.
    """

    async def use(client: Client) -> tuple[Ledger, RouterStats]:
        return await client.ledger(), await client.stats()

    found, stats = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json(_values(found, stats))
    else:
        _show(found, stats)
    if not found.balanced:
        raise typer.Exit(FAILED)


def figures(of: Figures) -> dict[str, Any]:
    """Return one row of the ledger as `-o json` prints it."""
    values: dict[str, Any] = msgspec.structs.asdict(of)
    return values


def _values(found: Ledger, stats: RouterStats) -> dict[str, Any]:
    return {
        "balanced": found.balanced,
        "problems": found.whole.problems,
        "durable": {
            "all": figures(found.whole),
            "shards": [{"shard": shard, **figures(of)} for shard, of in sorted(found.shards.items())],
        },
        "volatile": {"lost": stats.lost, "both_lanes": _counted(stats)},
    }


def _counted(stats: RouterStats) -> dict[str, int]:
    return {name: stats.totals.get(name, 0) for name in _COUNTED}


def _show(found: Ledger, stats: RouterStats) -> None:
    columns = [*(of for _, of in sorted(found.shards.items())), found.whole]
    print_table(
        "durable lane: messages, ever",
        ["", *(f"shard {shard}" for shard in sorted(found.shards)), "all"],
        [[name.replace("_", " "), *(_cell(getattr(of, name)) for of in columns)] for name in _TERMS],
    )
    lost = ", ".join(f"{place.replace('_', ' ')} {count}" for place, count in stats.lost.items())
    counted = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in _counted(stats).items())
    print_text(f"volatile lane, lost in this run: {lost}")
    print_text(f"both lanes, in this run: {counted}")
    for problem in found.whole.problems:
        print_text(f"DOES NOT BALANCE: {problem}")


def _cell(value: object) -> object:
    return {True: "yes", False: "NO"}[value] if isinstance(value, bool) else value
