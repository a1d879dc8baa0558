"""Fixtures for the tests of whoever uses Caxton. pytest finds them by itself where the package is installed.

def test_my_agent(caxton_client):
    with caxton_client.attach("shout", lambda delivered: delivered.message.content.upper()):
        assert caxton_client.request("shout", b"hello").content == b"HELLO"
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # loaded by the fixtures: every run of pytest pays for what this file imports
    from caxton.sync import Client
    from caxton.testing import ServedRuntime

_WORKERS = "caxton_workers"


def pytest_addoption(parser: "pytest.Parser") -> None:
    """Let a project's configuration say how many workers the runtime has."""
    parser.addini(_WORKERS, "worker processes of the runtime that the fixtures of Caxton start", default="1")


class SharedRuntime:
    """One runtime for all tests of a run, started for the first that asks, and anew when a test has ended it."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._served: ServedRuntime | None = None

    def served(self) -> "ServedRuntime":
        """Return the runtime, which serves."""
        from caxton.testing import runtime  # noqa: PLC0415 (see above)

        if self._served is None:
            served = runtime(self._workers)
            served.__enter__()
            self._served = served
        return self._served

    def tidy(self) -> None:
        """Remove what a test has left: agents and dead letters. A runtime that does not let us is given up."""
        from caxton import errors  # noqa: PLC0415

        if self._served is None:
            return
        try:
            _empty(self._served)
        except errors.CaxtonError:
            self.close()

    def close(self) -> None:
        """End it, and remove its directories. Closing twice is fine."""
        served, self._served = self._served, None
        if served is not None:
            served.kill()
            served.close()


def _empty(served: "ServedRuntime") -> None:
    from caxton.sync import connect_sync  # noqa: PLC0415

    with connect_sync(served.runtime_dir) as client:
        for result in client.remove_many(client.agents()):
            if result is not None:
                raise result
        client.purge(everything=True)


def _workers(text: str) -> int:
    """Return how many workers the configuration names. Raises pytest.UsageError: a mistake in it ends the run."""
    if re.fullmatch("[1-9]|[12][0-9]|3[0-2]", text) is None:
        from caxton.printable import shown  # noqa: PLC0415

        raise pytest.UsageError(f"{_WORKERS} = {shown(text)} is not a number of workers, 1 to 32")
    return int(text)


def pytest_configure(config: "pytest.Config") -> None:
    """Look at what the configuration says before any test runs."""
    _workers(config.getini(_WORKERS))


@pytest.fixture(scope="session")
def _caxton_shared(pytestconfig: "pytest.Config") -> Iterator[SharedRuntime]:
    shared = SharedRuntime(_workers(pytestconfig.getini(_WORKERS)))
    try:
        yield shared
    finally:
        shared.close()


@pytest.fixture
def caxton_runtime(_caxton_shared: SharedRuntime) -> "Iterator[ServedRuntime]":
    """A small runtime, a `caxton.testing.ServedRuntime`: empty, and the test's alone.

    It is one process tree for all tests of a run, or of each process of pytest-xdist; what a test leaves in it is
    removed, and one that a test has stopped or killed is started anew for the next. A coroutine has its client by
    `async with caxton_runtime.connect() as client:`.
    """
    try:
        yield _caxton_shared.served()
    finally:
        _caxton_shared.tidy()


@pytest.fixture
def caxton_client(caxton_runtime: "ServedRuntime") -> "Iterator[Client]":
    """A client without a loop, `caxton.sync.Client`, of the runtime of `caxton_runtime`."""
    from caxton.sync import connect_sync  # noqa: PLC0415

    with connect_sync(caxton_runtime.runtime_dir) as client:
        yield client
