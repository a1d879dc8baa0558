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
def watchdog(engine: GuestEngine) -> Iterator[Watchdog]:
    watchdog = Watchdog(engine)
    watchdog.start()
    yield watchdog
    watchdog.stop()


@pytest.fixture(scope="session")
def start(engine: GuestEngine, watchdog: Watchdog) -> Start:
    """Start an example agent by its file's name, from a state."""
    modules = {path.stem: wasmtime.Module(engine.wasmtime, path.read_bytes()) for path in GUESTS.glob("*.wasm")}

    def start_one(name: str, limits: Limits = WIDE, state: bytes = b"") -> Sandbox:
        return Sandbox(engine, modules[name], limits, watchdog, lambda _level, _line: None, state)

    return start_one
