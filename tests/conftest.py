"""What holds for all tests: the same examples of every property, the pace of a machine, a turn of the loop."""

import asyncio
import contextlib
import importlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings

# Of a property, in a run that everybody makes, and for each `--examples`.
SAME_EXAMPLES, NEW_EXAMPLES = 50, 100


def pytest_addoption(parser):
    parser.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="look for new failures: N hundreds of examples of a property in place of 50, other ones in every run",
    )
    parser.addoption(
        "--keep-formats",
        action="store_true",
        help="for tests/formats: keep what is written now, beside what was written before",
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
        max_examples=SAME_EXAMPLES if factor is None else NEW_EXAMPLES * factor,
        derandomize=factor is None,
        deadline=None,
        print_blob=True,
    )
    settings.load_profile("caxton")
    # Who is started in the background of a shell inherits that Ctrl-C is ignored, and all that is started here would.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """As many processes as there are cores for us, and four at most: each may start a runtime of several more."""
    return min(4, len(os.sched_getaffinity(0)))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    """Let a report reach the process that prints it, whatever a test has written: not all text is Unicode."""
    return _encodable((yield))


def _encodable(value):
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(_encodable, value))
        case _:
            return value


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
