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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated

import typer

from caxton.cli.output import print_text, reports_errors
from caxton.errors import ConfigurationError

FAILED = 1
# pytest's own word for a run that has nothing to do, as when a choice of tests leaves none.
_NOTHING_CHOSEN = 5
_ROOT = Path(__file__).parents[1]
# As `tox -e py` chooses and runs them; a mark that is said afterwards goes before this one.
_CHOSEN = ("-m", "not long")
_ON_ALL_CORES = ("-n", "auto", "--dist", "loadfile")
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


@dataclass(frozen=True)
class Run:
    """One run of the tests that the words choose for pytest. seed: of their order, where the setting shuffles them."""

    setting: Setting
    seed: int
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """What tells it from others: its setting, and what repeats it."""
        return self.setting.name + f", seed {self.seed}" * self.setting.shuffled


@dataclass(frozen=True)
class Ended:
    """How a run ended, how long it took, and what pytest printed that was not shown while it ran."""

    run: Run
    passed: bool
    took_s: float
    output: str = ""

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'FAILED'} {self.took_s:6.0f} s  {self.run.name}"


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Examples: python -m faultlab.speeds --long; python -m faultlab.speeds --seed 7 tests/unit/store -x; "
    'python -m faultlab.speeds --long --setting "one core" --runs 1',
)
@reports_errors
def speeds(
    context: typer.Context,
    *,
    long: Annotated[
        bool, typer.Option("--long", help="All tests in each of four settings, three times, instead of some in one.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(help=f"--long: only this one; may be given again. One of: {'; '.join(s.name for s in LONG)}."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="--long: runs in each setting.")] = LONG_RUNS,
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

    --long takes hours, and may be done in parts; of runs on one core there are as many at once as there are cores.
    Every run shows its seed; with that seed it is repeated. Exit code 1 when a run fails.
    """
    if importlib.util.find_spec("pytest_randomly") is None:
        raise ConfigurationError("pytest-randomly", "it is not installed", "install it with the extra: caxton[test]")
    if long:
        chosen = [one for one in _chosen(setting) for _ in range(runs)]
        ended = run_all([Run(one, _seed(seed, long=True), tuple(context.args)) for one in chosen])
    else:
        words = tuple(context.args) or SHORT_TESTS
        ended = [run(Run(one, _seed(seed, long=False), words)) for one in SHORT]
    for one in ended:
        print_text(str(one))
    if not all(one.passed for one in ended):
        raise typer.Exit(FAILED)


def run_all(runs: Sequence[Run]) -> list[Ended]:
    """Run those that need all cores one after the other, then the others side by side, each on a core of its own.

    The latter tell when they begin and end, and one that fails what pytest said.
    """
    cores: SimpleQueue[int] = SimpleQueue()
    for core in os.sched_getaffinity(0):
        cores.put(core)

    def on_one_core(one: Run) -> Ended:
        core = cores.get()
        try:
            print_text(f"== begins on core {core}: {one.name}")
            ended = run(one, core=core)
        finally:
            cores.put(core)
        for line in [] if ended.passed else ended.output.splitlines():
            print_text(line)
        print_text(f"== {ended}")
        return ended

    wide, narrow = ([one for one in runs if one.setting.one_core is kept] for kept in (False, True))
    done = [run(one) for one in wide]
    with ThreadPoolExecutor(cores.qsize()) as pool:
        return done + list(pool.map(on_one_core, narrow))


def run(one: Run, core: int | None = None) -> Ended:
    """Run the tests in a setting. core: the one that they have, where it is one; what pytest prints is then kept."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_CHOSEN, *one.words]
    environment = dict(os.environ)
    if one.setting.shuffled:
        command += ["-p", "randomly", f"--randomly-seed={one.seed}"]
        environment["PYTHONHASHSEED"] = str(one.seed)
    if not one.setting.one_core:
        command += _ON_ALL_CORES
    out, err = (None, None) if core is None else (subprocess.PIPE, subprocess.STDOUT)
    if core is None:
        print_text(f"== {one.name}")
    began_s = time.monotonic()
    with _cores(one.setting, core), _neighbour(one.setting):
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, check=False, stdout=out, stderr=err, text=True, errors="replace"
        )
    passed = done.returncode in {0, _NOTHING_CHOSEN}
    return Ended(one, passed, time.monotonic() - began_s, done.stdout or "")


def _chosen(names: list[str] | None) -> list[Setting]:
    known = {one.name: one for one in LONG}
    for name in names or ():
        if name not in known:
            raise ConfigurationError("--setting", f"there is no setting {name!r}", f"choose one of {'; '.join(known)}")
    return [known[name] for name in names or known]


def _seed(said: int | None, *, long: bool) -> int:
    if said is not None:
        return said
    return random.SystemRandom().randint(0, _MOST_SEED) if long else _SHORT_SEED


@contextlib.contextmanager
def _cores(setting: Setting, core: int | None) -> Iterator[None]:
    """Keep this thread, and so whatever it starts, to one core if the setting says so: this one, or the first."""
    own = os.sched_getaffinity(0)
    if setting.one_core:
        os.sched_setaffinity(0, {min(own) if core is None else core})
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
