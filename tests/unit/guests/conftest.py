"""The example agents in real sandboxes, as a worker would run them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wasmtime

import caxton.guests
from caxton.agents.limits import MIB, Limits
from workers.sandbox.engine import GuestEngine
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.watchdog import Watchdog

GUESTS = Path(caxton.guests.__file__).parent

# Wide enough for every test that is not about a limit.
WIDE = Limits(
    max_memory_bytes=64 * MIB,
    max_fuel=10**10,
    max_execution_ms=10_000,
    max_message_bytes=4 * MIB,
    max_output_bytes=8 * MIB,
)

Start = Callable[..., Sandbox]


@pytest.fixture(scope="session")
def engine() -> GuestEngine:
    return GuestEngine()


@pytest.fixture(scope="session")
def modules(engine: GuestEngine) -> dict[str, wasmtime.Module]:
    """The example agents, by their files' names."""
    return {path.stem: wasmtime.Module(engine.wasmtime, path.read_bytes()) for path in GUESTS.glob("*.wasm")}


@pytest.fixture(scope="package")
def watchdog(engine: GuestEngine) -> Iterator[Watchdog]:
    """For the tests of this folder: beside others its thread would wake a hundred times a second for nothing."""
    watchdog = Watchdog(engine)
    watchdog.start()
    yield watchdog
    watchdog.stop()


@pytest.fixture(scope="package")
def start(engine: GuestEngine, watchdog: Watchdog, modules: dict[str, wasmtime.Module]) -> Start:
    """Start an example agent by its file's name, from a state."""

    def start_one(name: str, limits: Limits = WIDE, state: bytes = b"") -> Sandbox:
        return Sandbox(engine, modules[name], limits, watchdog, lambda _level, _line: None, state)

    return start_one
