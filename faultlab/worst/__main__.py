"""What one guest or one client at its worst costs everybody else: `python -m faultlab.worst --help`."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from caxton.cli.output import Format, Output, print_json, print_table, print_text, reports_errors
from caxton.errors import ConfigurationError
from faultlab.hostile.far import far
from faultlab.worst import figures
from faultlab.worst.attacks import ATTACKS
from faultlab.worst.victims import Cost, measured

FAILED = 1
_COLUMNS = ["attack", "worker MiB", "supervisor MiB", "disk MiB", "stats s", "asked", "lost", "p99 ms", "beside", ""]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Examples: python -m faultlab.worst --seconds 10; python -m faultlab.worst --attack loop")
@reports_errors
def worst(
    attack: Annotated[
        list[str] | None, typer.Option(help=f"Only this one; may be given again. One of {', '.join(ATTACKS)}.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of each attack.")] = 60.0,
    rate: Annotated[int, typer.Option(min=1, help="Requests a second to the neighbour.")] = 1_000,
    output: Output = Format.TEXT,
) -> None:
    """Attack a runtime beside a neighbour, one attack after the other, and print what each cost the others.

    Without --attack also: by how much runaway code goes beyond its deadline, how long a compile bomb takes, and who
    comes behind it, and how fast refusals are. Exit code 1 when a figure of docs/security.md is missed.
    """
    chosen = _chosen(attack or list(ATTACKS))
    costs = []
    with far("attacks", len(chosen)) as shown:
        for name in chosen:
            costs.append(asyncio.run(measured(name, seconds, rate)))
            shown.on(what=name)
    others = [] if attack else list(_figures())
    if output is Format.JSON:
        told = [asdict(cost) | {"misses": cost.misses} for cost in costs]
        print_json({"attacks": told, "figures": [{"what": w, "is": v, "wanted": m} for w, v, m, _ in others]})
    else:
        title = f"Each for {seconds:g} s, beside {rate:,} requests a second to a neighbour"
        print_table(title, _COLUMNS, [_row(cost) for cost in costs])
        for what, value, wanted, holds in others:
            print_text(f"{what:<60} {value:>10.2f}   {wanted}{'' if holds else '   MISSED'}")
    if any(cost.misses for cost in costs) or not all(holds for *_, holds in others):
        raise typer.Exit(FAILED)


def _chosen(names: list[str]) -> list[str]:
    for name in names:
        if name not in ATTACKS:
            raise ConfigurationError("--attack", f"there is no attack {name}", f"choose one of {', '.join(ATTACKS)}")
    return names


def _figures() -> Iterator[tuple[str, float, str, bool]]:
    """Return each further figure: what it is, its value, what is wanted, and whether that holds."""
    over = figures.runaway_ms()
    yield "runaway code beyond its deadline, ms", over, "at most 20", over <= figures.MOST_OVER_MS
    refused, behind = asyncio.run(figures.bombs())
    yield "a compile bomb until it is refused, s", refused, "at most 6", refused <= figures.MOST_BOMB_S
    yield "a module behind a compile bomb, s", behind, "at most 2", behind <= figures.MOST_BEHIND_S
    rates = asyncio.run(figures.refusals())
    yield "deliveries, a second", rates.pop("deliveries/s"), "", True
    for what, part in rates.items():
        yield f"refusals ({what}), of the rate of deliveries", part, "at least 0.3", part >= figures.LEAST_REFUSALS


def _row(cost: Cost) -> list[object]:
    return [
        cost.attack,
        round(cost.worker_mib),
        round(cost.supervisor_mib),
        round(cost.disk_mib),
        round(cost.stats_s, 2),
        cost.asked,
        cost.unanswered,
        round(cost.alone_ms, 2),
        round(cost.beside_ms, 2),
        ", ".join(cost.misses) or "holds",
    ]


if __name__ == "__main__":
    app()
