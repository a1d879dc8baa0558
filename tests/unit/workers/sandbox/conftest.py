"""An engine, a watchdog, and the guests of tests/guests, ready to be started."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import wasmtime

from caxton.agents.limits import Limits
from workers.sandbox.engine import GuestEngine
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.watchdog import Watchdog

GUESTS = Path(__file__).parents[3] / "guests"

# A machine that is busy with something else holds up any turn: the clock ends only those of tests about the clock.
UNHURRIED = Limits(max_execution_ms=10_000)

Logged = list[tuple[int, str]]


class Nursery:
    """Makes sandboxes, and closes them when the test ends. `logged` holds what their guests logged."""

    def __init__(self, engine: GuestEngine, watchdog: Watchdog) -> None:
        self.engine = engine
        self.watchdog = watchdog
        self.logged: Logged = []
        self._sandboxes: list[Sandbox] = []
        self.module = cache(self._compile)

    def _compile(self, guest: str) -> wasmtime.Module:
        text = guest if guest.startswith("(module") else (GUESTS / f"{guest}.wat").read_text()
        return wasmtime.Module(self.engine.wasmtime, wasmtime.wat2wasm(text))

    def start(self, guest: str, limits: Limits = UNHURRIED, state: bytes = b"") -> Sandbox:
        """Start the guest of this name, or of this text, from this state."""
        sandbox = Sandbox(self.engine, self.module(guest), limits, self.watchdog, self._log, state)
        self._sandboxes.append(sandbox)
        return sandbox

    def close(self) -> None:
        """Close what was started."""
        for sandbox in self._sandboxes:
            sandbox.close()
        self._sandboxes.clear()
        self.logged.clear()

    def _log(self, level: int, line: str) -> None:
        self.logged.append((level, line))


@pytest.fixture(scope="session")
def engine() -> GuestEngine:
    return GuestEngine()


@pytest.fixture(scope="package")
def watchdog(engine: GuestEngine) -> Iterator[Watchdog]:
    """For the tests of this folder: beside others its thread would wake a hundred times a second for nothing."""
    watchdog = Watchdog(engine)
    watchdog.start()
    yield watchdog
    watchdog.stop()


@pytest.fixture(scope="package")
def all_sandboxes(engine: GuestEngine, watchdog: Watchdog) -> Nursery:
    return Nursery(engine, watchdog)


@pytest.fixture
def nursery(all_sandboxes: Nursery) -> Iterator[Nursery]:
    yield all_sandboxes
    all_sandboxes.close()


@pytest.fixture
def start(nursery: Nursery) -> Callable[..., Sandbox]:
    return nursery.start
