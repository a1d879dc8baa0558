"""What holds for all tests: the same examples of every property, the pace of a machine, a turn of the loop."""

import asyncio
import contextlib
import importlib
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings


def pytest_addoption(parser):
    parser.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="look for new failures: N times as many examples of every property, other ones in every run",
    )


def pytest_configure(config):
    """Say which examples are tried, before the tests are read: theirs are shares of `settings().max_examples`."""
    factor = config.getoption("--examples")
    if factor is not None and factor < 1:
        raise pytest.UsageError(f"--examples {factor}: at least 1")
    # A run of all tests says the same on every machine, whatever the environment; `scripts/fuzz` finds what is new.
    # A machine that is shared makes single examples slow, which says nothing of the code; pytest-timeout ends a real
    # hang.
    settings.register_profile(
        "caxton",
        settings.get_profile("default"),
        max_examples=settings.get_profile("default").max_examples * (factor or 1),
        derandomize=factor is None,
        deadline=None,
        print_blob=True,
    )
    settings.load_profile("caxton")


@pytest.fixture
def one_turn_of_the_loop():
    """Lets every task that is ready go on to where it waits, once: for what is begun there and tells nobody."""

    async def turn():
        await asyncio.sleep(0)

    return turn


@pytest.fixture
def promise():
    """Holds what is in its block to a promised time, or to what that is where a machine is slower, or busy.

    The pace is measured right before and, if that is not enough, right after: what is asked is how the runtime does
    on this machine, and not which machine it is.
    """
    sys.path.append(str(Path(__file__).parents[1]))  # the laboratory is no part of the package that is shipped
    pace = importlib.import_module("faultlab.pace").pace

    @contextlib.contextmanager
    def within(promised_s):
        before = pace()
        began_s = time.monotonic()
        yield
        took_s = time.monotonic() - began_s
        if took_s >= promised_s:
            assert took_s < promised_s * max(before, pace())

    return within
