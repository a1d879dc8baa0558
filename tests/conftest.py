"""What holds for all tests: the same examples of every property everywhere, and a name for a turn of the loop."""

import asyncio

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
