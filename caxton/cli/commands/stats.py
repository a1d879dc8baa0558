"""`caxton stats`."""

import math
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from caxton.cli import stats_text
from caxton.cli.commands.health import ask_values
from caxton.cli.figures import Counted, with_figures
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import print_hint, print_json, print_lines, print_yaml, reports_errors
from caxton.errors import CaxtonError, InvalidMessageFormat, ResourceExhausted, Timeout
from caxton.wire.counters import COUNTERS, meaning_of
from caxton.wire.supervision import AskHealth, AskStats
from caxton.wire.told import Health, RouterStats, read_told

EXAMPLES = (
    "Examples: caxton stats; caxton stats --all; caxton stats --watch 5; caxton stats -o wide; "
    "caxton stats --explain; caxton stats -o json"
)
# As often as anybody can read it, and as seldom as it is still a watch.
LEAST_WATCH_S, MOST_WATCH_S = 0.5, 3_600.0
# For how long nothing may be told before that is an error.
PATIENCE_S = 60.0
_CLEAR = "\x1b[H\x1b[2J"


class StatsFormat(StrEnum):
    """What `caxton stats` prints."""

    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


StatsOutput = Annotated[
    StatsFormat,
    typer.Option("-o", "--output", help="What to print: text for people, wide with each shard, json or yaml."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every counter, each with what it counts.")]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Say what each counter counts, and nothing else.")]
WatchOption = Annotated[
    float | None,
    typer.Option(
        "--watch",
        min=LEAST_WATCH_S,
        max=MOST_WATCH_S,
        metavar="SECONDS",
        help="Show it again and again, until Ctrl-C.",
        show_default=False,
    ),
]


@reports_errors
def stats(
    runtime_dir: RuntimeDirOption = None,
    output: StatsOutput = StatsFormat.TEXT,
    watch: WatchOption = None,
    whole: AllOption = False,
    explain: ExplainOption = False,
) -> None:
    """Show what stands out, what happens now, how long it takes, and what this run did, refused and lost.

    What stands out is what health says, and counters of what came to no good end. Rates are those of the last ten
    seconds. A runtime that ends is an error, also while it is watched, and so is one that tells nothing for a minute.
    """
    if explain:
        _explain(output)
        return
    if watch is None:
        _show(runtime_dir, output, whole=whole)
        return
    try:
        _watch(runtime_dir, output, watch, whole=whole)
    except KeyboardInterrupt:
        return


def _watch(runtime_dir: Path | None, output: StatsFormat, every_s: float, *, whole: bool) -> None:
    """Show it again and again; what passes within a minute is said on standard error. Raises what does not."""
    shown_s = -math.inf
    while True:
        _head(output)
        try:
            _show(runtime_dir, output, whole=whole)
            shown_s = time.monotonic()
        except (ResourceExhausted, Timeout) as error:
            if time.monotonic() - shown_s >= PATIENCE_S:
                raise
            print_hint(f"{error}; trying again")
        time.sleep(every_s)


def _head(output: StatsFormat) -> None:
    """Say where the next answer begins: with a clean screen where there is one, and no word between JSON's lines."""
    if output is StatsFormat.YAML:
        print_lines(["---"])
    elif output is not StatsFormat.JSON:
        moment = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        print_lines([(_CLEAR if sys.stdout.isatty() else "") + moment])


def _show(runtime_dir: Path | None, output: StatsFormat, *, whole: bool) -> None:
    values = ask_values(runtime_dir, AskStats())
    try:
        durable = with_figures(runtime_dir, _durable)
    except CaxtonError as error:
        # A shard that does not serve tells nothing; what the supervisor knows is shown all the same.
        durable = {"ledger": None, "dead_letters": None, "problem": str(error)}
    if output is StatsFormat.JSON:
        print_json(values | durable)
    elif output is StatsFormat.YAML:
        print_yaml(values | durable)
    else:
        told = read_told(values, RouterStats)
        print_lines(_lines(told, _health(runtime_dir), durable, whole=whole, wide=output is StatsFormat.WIDE))


def _health(runtime_dir: Path | None) -> Health | None:
    """Return how everything is, None when a runtime of another version tells it otherwise."""
    try:
        return read_told(ask_values(runtime_dir, AskHealth()), Health)
    except InvalidMessageFormat:
        return None


def _lines(
    told: RouterStats, health: Health | None, durable: dict[str, Any], *, whole: bool, wide: bool
) -> Iterator[str]:
    yield from stats_text.summary(told, health)
    yield from stats_text.standing_out(told, health, durable, None if whole else stats_text.MOST_STANDING_OUT)
    yield from stats_text.now(told)
    yield from stats_text.times(told.latencies)
    yield from stats_text.this_run(told, durable)
    if wide:
        yield from stats_text.by_shard(told, health)
    if whole:
        yield from stats_text.counters(told, wide=True)
    else:
        yield "every counter: caxton stats --all"


def _explain(output: StatsFormat) -> None:
    meanings = {name: meaning_of(name) for name in COUNTERS}
    if output is StatsFormat.JSON:
        print_json(meanings)
    elif output is StatsFormat.YAML:
        print_yaml(meanings)
    else:
        print_lines(stats_text.explained(meanings))


async def _durable(client: Counted) -> dict[str, Any]:
    ledger = await client.ledger()
    letters = await client.dead_letter_stats()
    return {
        "ledger": msgspec.structs.asdict(ledger.whole),
        "dead_letters": msgspec.structs.asdict(letters),
        "problem": None,
    }
