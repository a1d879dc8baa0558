"""Runs the tests at other speeds and in other orders: `python -m faultlab.speeds --help`.

A test that waits for a moment instead of an event, counts tries, or relies on what ran before it, holds on one machine
and fails on the next. Here one machine is several: all its cores, one of them, one that somebody else keeps busy.
"""

import contextlib
import importlib.util
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.output import print_text, reports_errors
from caxton.errors import ConfigurationError

FAILED = 1
# pytest's own word for a run that has nothing to do, as when a choice of tests leaves none.
_NOTHING_CHOSEN = 5
_ROOT = Path(__file__).parents[1]
_NEIGHBOUR = [sys.executable, "-c", "while True: pass"]
_MOST_SEED = 2**32 - 1
LONG_RUNS = 3
# The short form is what everybody runs after every change: it says the same each time. The long form tries new orders.
_SHORT_SEED = 20
# The rooms in which there is time, and others who act. Properties compute: whatever the pace, they find the same. All
# have their turn in the long form.
SHORT_TESTS = (
    *(f"tests/unit/{room}" for room in ("client", "progress", "transport")),
    *("-m", "not hypothesis"),
)


@dataclass(frozen=True)
class Setting:
    """What a run of the tests has around it."""

    name: str
    one_core: bool = False
    neighbour: bool = False
    shuffled: bool = False


LONG = (
    Setting("all cores"),
    Setting("one core", one_core=True),
    Setting("one core, beside a busy neighbour", one_core=True, neighbour=True),
    Setting("all cores, another order", shuffled=True),
)
SHORT = (Setting("one core, beside a busy neighbour, another order", one_core=True, neighbour=True, shuffled=True),)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Examples: python -m faultlab.speeds --long; python -m faultlab.speeds --seed 7 tests/unit/store -x",
)
@reports_errors
def speeds(
    context: typer.Context,
    *,
    long: Annotated[
        bool, typer.Option("--long", help="All tests in each of four settings, three times, instead of some in one.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=_MOST_SEED,
            help="Of the order and of PYTHONHASHSEED.",
            show_default="20; --long: another each time",
        ),
    ] = None,
) -> None:
    """Run the tests on one core, beside a busy neighbour, in another order; what else is said goes to pytest.

    Every run shows its seed; with that seed it is repeated. Exit code 1 when a run fails.
    """
    if importlib.util.find_spec("pytest_randomly") is None:
        raise ConfigurationError("pytest-randomly", "it is not installed", "install it with the extra: caxton[test]")
    runs = [setting for setting in (LONG if long else SHORT) for _ in range(LONG_RUNS if long else 1)]
    words = context.args or ([] if long else list(SHORT_TESTS))
    results = []
    for setting in runs:
        chosen = _seed(seed, long=long)
        print_text(f"== {setting.name}" + f", seed {chosen}" * setting.shuffled)
        began_s = time.monotonic()
        passed = run(setting, chosen, words)
        told = f", seed {chosen}" * setting.shuffled
        results.append((passed, f"{time.monotonic() - began_s:6.0f} s  {setting.name}{told}"))
    for passed, text in results:
        print_text(f"{'passed' if passed else 'FAILED'} {text}")
    if not all(passed for passed, _ in results):
        raise typer.Exit(FAILED)


def run(setting: Setting, seed: int, words: list[str]) -> bool:
    """Run the tests that the words choose for pytest, and tell if all of them passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    environment = dict(os.environ)
    if setting.shuffled:
        command += ["-p", "randomly", f"--randomly-seed={seed}"]
        environment["PYTHONHASHSEED"] = str(seed)
    with _cores(setting), _neighbour(setting):
        done = subprocess.run(command, cwd=_ROOT, env=environment, check=False)
    return done.returncode in {0, _NOTHING_CHOSEN}


def _seed(said: int | None, *, long: bool) -> int:
    if said is not None:
        return said
    return random.SystemRandom().randint(0, _MOST_SEED) if long else _SHORT_SEED


@contextlib.contextmanager
def _cores(setting: Setting) -> Iterator[None]:
    """Keep this process, and so whatever it starts, to one of its cores if the setting says so."""
    own = os.sched_getaffinity(0)
    if setting.one_core:
        os.sched_setaffinity(0, {min(own)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


@contextlib.contextmanager
def _neighbour(setting: Setting) -> Iterator[None]:
    """Keep the core busy with a process of no use, if the setting says so."""
    if not setting.neighbour:
        yield
        return
    with subprocess.Popen(_NEIGHBOUR) as process:
        try:
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    app()
