"""Tries everything hostile: `python -m faultlab.hostile --help`."""

import asyncio
import random
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.errors import ConfigurationError
from caxton.testing import runtime
from faultlab.hostile.corpus import Kind, kinds
from faultlab.hostile.far import far
from faultlab.hostile.litter import OF_ONE, try_litter
from faultlab.hostile.record import Record, Step
from faultlab.hostile.storm import Storm
from faultlab.hostile.trial import OPTIONS, Trial

FAILED = 1
# What is tried in the short form: one of so many kinds, and of the others so many in all.
SHORT_EVERY, SHORT_MUTANTS, SHORT_FRAMES = 8, 1_000, 10_000
LONG_MUTANTS, LONG_FRAMES = 100_000, 10_000_000
# For how long operators are asked in a storm.
SHORT_STORM_S, LONG_STORM_S = 5.0, 60.0
# Of frames, after which it is looked whether all is well.
FRAMES_OF_ROUND = 100_000

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Examples: python -m faultlab.hostile --long; python -m faultlab.hostile --kind recursion")
@reports_errors
def hostile(  # noqa: PLR0913 (each is an option of the command)
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be given again.")] = None,
    mutants: Annotated[int | None, typer.Option(min=0, help="How many mutants.", show_default=False)] = None,
    frames: Annotated[int | None, typer.Option(min=0, help="How many frames.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of mutants and frames.", show_default="another")] = None,
    storm: Annotated[float | None, typer.Option(min=0, help="Seconds of a storm.", show_default=False)] = None,
    keep: Annotated[
        Path | None, typer.Option(help="A file for what is done: a run that was interrupted goes on from it.")
    ] = None,
    *,
    long: Annotated[bool, typer.Option("--long", help="Every kind, 100,000 mutants, 10,000,000 frames.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Deploy hostile guests on a real runtime, send frames to every socket, let a storm rage, and try mutants.

    Prints what each kind came to, how long it took, and what memory and disk it cost. With a kind nothing else is
    tried unless it is asked for. Exit code 1 when something else came than must come.
    """
    corpus = kinds()
    chosen = _chosen(corpus, kind) if kind else corpus if long else corpus[::SHORT_EVERY]
    most_mutants, most_frames, storm_s = (
        (0, 0, 0.0)
        if kind
        else (LONG_MUTANTS, LONG_FRAMES, LONG_STORM_S)
        if long
        else (SHORT_MUTANTS, SHORT_FRAMES, SHORT_STORM_S)
    )
    record = Record(keep, seed, random.SystemRandom().randrange(1 << 32))
    asyncio.run(_try_on_a_runtime(chosen, most_frames if frames is None else frames, record))
    asyncio.run(_try_a_storm(storm_s if storm is None else storm, record))
    _try_mutants(most_mutants if mutants is None else mutants, record)
    _print(record, output)
    if record.problems:
        raise typer.Exit(FAILED)


def _chosen(corpus: list[Kind], names: list[str]) -> list[Kind]:
    by_name = {kind.name: kind for kind in corpus}
    for name in names:
        if name not in by_name:
            raise ConfigurationError("--kind", f"there is no kind {name!r}", f"choose one of {', '.join(by_name)}")
    return [by_name[name] for name in names]


async def _try_on_a_runtime(chosen: list[Kind], frames: int, record: Record) -> None:
    left = [kind for kind in chosen if not record.has(kind.name)]
    rounds = _left("frames", frames, FRAMES_OF_ROUND, record)
    if not (left or rounds):
        return
    async with runtime(options=OPTIONS) as served, served.connect() as client:
        trial = Trial(served, client)
        await trial.enter()
        with far("kinds", len(chosen), len(chosen) - len(left)) as shown:
            for kind in left:
                record.add(Step(kind.name, [one async for one in trial.all_of(kind)]))
                shown.on(what=kind.name)
        with far("frames", frames, frames - sum(rounds.values())) as shown:
            for number, count in rounds.items():
                row, sent = await trial.frames(count, record.seed + number)
                record.add(Step(f"frames {number}", [row], frames=sent))
                shown.on(count)
        record.add(Step("end of a runtime", problems=await trial.problems()))


async def _try_a_storm(seconds: float, record: Record) -> None:
    if not seconds or record.has("storm"):
        return
    async with runtime(options=OPTIONS) as served, served.connect() as client:
        rows = await Storm(served, client).rage(seconds)
        record.add(Step("storm", rows, problems=await Trial(served, client).problems()))


def _try_mutants(count: int, record: Record) -> None:
    litters = _left("mutants", count, OF_ONE, record)
    with far("mutants", count, count - sum(litters.values())) as shown:
        for number, some in litters.items():
            litter, row, problem = try_litter(record.seed + number, some)
            record.add(Step(f"mutants {number}", [row], litter.outcomes, problems=[problem] if problem else []))
            shown.on(some)


def _left(name: str, count: int, of_one: int, record: Record) -> dict[int, int]:
    """Return the rounds that are not done: where each begins, and how many there are in it."""
    starts = [start for start in range(0, count, of_one) if not record.has(f"{name} {start}")]
    return {start: min(of_one, count - start) for start in starts}


def _print(record: Record, output: Format) -> None:
    if output is Format.JSON:
        found = {"seed": record.seed, "kinds": record.rows, "mutants": record.mutants, "frames": record.frames}
        print_json(msgspec.to_builtins(found | {"problems": record.problems}))
        return
    table = Table("kind", "encoding", "lane", "outcome", "s", "peak MiB", "disk KiB", "")
    for t in record.rows:
        figures = f"{t.seconds:.2f}", f"{t.peak_mib:.0f}", str(t.disk_kib)
        table.add_row(t.kind, t.encoding, t.lane, t.outcome, *figures, "held" if t.held else "BROKEN")
    Console(width=None if Console().is_terminal else 160, markup=False).print(table)
    for what, counted in (("mutants", record.mutants), ("frames", record.frames)):
        if counted:
            told = ", ".join(f"{n:,} {word}" for word, n in sorted(counted.items(), key=itemgetter(1), reverse=True))
            print_text(f"{what}: {told} (seed {record.seed})")
    for problem in record.problems:
        print_text(problem)


if __name__ == "__main__":
    app()
