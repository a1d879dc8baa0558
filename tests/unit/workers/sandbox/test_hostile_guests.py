"""Guests that mean harm: each is stopped for the right reason, and the guest beside it goes on."""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caxton.agents.limits import Limits
from workers.sandbox.traps import Trap, TrapReason

# Of those that only the clock ends, and of those that it is not to end, however slow the machine.
PATIENT = Limits(max_fuel=10**12)
UNHURRIED = Limits(max_execution_ms=10_000)
LITTLE_FUEL = Limits(max_fuel=1_000_000, max_execution_ms=10_000)
ENTRIES = ["loop_in_handle", "loop_in_start", "loop_in_alloc", "loop_in_init"]


def _run(start, guest: str, limits: Limits, content: bytes = b"") -> Trap:
    with pytest.raises(Trap) as raised:
        start(guest, limits).handle(content)
    return raised.value


@pytest.fixture
def neighbour(start):
    """Check that a guest which was there before answers after."""
    sandbox = start("echo")
    yield
    assert sandbox.handle(b"still here") == b"still here"


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("guest", ENTRIES)
def test_an_endless_loop_runs_out_of_fuel_at_every_entry(start, guest):
    """Fuel ends a loop in handle_message, in the start function, in caxton_alloc and in caxton_init."""
    assert _run(start, guest, LITTLE_FUEL).reason is TrapReason.OUT_OF_FUEL


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("guest", ENTRIES)
def test_an_endless_loop_meets_its_deadline_at_every_entry(start, guest):
    """With fuel to spare the deadline ends a loop, wherever it is."""
    begun = time.monotonic()
    assert _run(start, guest, PATIENT).reason is TrapReason.DEADLINE
    assert time.monotonic() - begun >= 0.05


@pytest.mark.usefixtures("neighbour")
def test_bulk_memory_work_meets_its_deadline(start):
    """Instructions that do much for little fuel are stopped by the clock."""
    assert _run(start, "bulk", PATIENT).reason is TrapReason.DEADLINE


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize(
    ("guest", "reason"),
    [
        ("memory_bomb", TrapReason.MEMORY_REFUSED),
        ("memory_in_start", TrapReason.MEMORY_REFUSED),
        ("table_in_start", TrapReason.MEMORY_REFUSED),
        ("many_tables", TrapReason.MEMORY_REFUSED),
        ("init_refuses", TrapReason.INSTANTIATION),
        ("recursion", TrapReason.STACK_OVERFLOW),
    ],
)
def test_a_guest_that_takes_too_much_is_stopped(start, guest, reason):
    """Memory, tables and stack end where the limits say, and the trap says which it was."""
    assert _run(start, guest, UNHURRIED).reason is reason


def test_a_table_grows_to_its_limit_and_no_further(start):
    """table.grow is refused at 16,384 elements, and the guest is told so and goes on."""
    assert start("table_bomb").handle(b"") == struct.pack("<i", 16_384)


@pytest.mark.parametrize(
    ("most", "beyond"), [(["1"] * 4, ["1"] * 5), (["16384"], ["16385"])], ids=["tables", "elements"]
)
def test_a_module_has_four_tables_of_16_384_elements_at_most(start, most, beyond):
    """What begins at the bounds starts and answers; one table or one element more has no instance."""

    def begin(tables):
        parts = "".join(f"(table {size} funcref)" for size in tables)
        return start(f"""(module {parts} (memory (export "memory") 2)
          (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
          (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))""")

    assert begin(most).handle(b"x") is None
    with pytest.raises(Trap) as raised:
        begin(beyond)
    assert raised.value.reason is TrapReason.MEMORY_REFUSED


def test_memory_grows_to_the_agents_own_limit(start):
    """An agent with less memory than the default is refused earlier."""
    limits = Limits(max_memory_bytes=3 * 65_536, max_execution_ms=10_000)
    trap = _run(start, "memory_bomb", limits)
    assert trap.reason is TrapReason.MEMORY_REFUSED
    assert str(3 * 65_536) in trap.detail


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (0, TrapReason.UNREACHABLE),
        (1, TrapReason.MEMORY_OUT_OF_BOUNDS),
        (2, TrapReason.INTEGER_DIVISION_BY_ZERO),
        (3, TrapReason.INTEGER_OVERFLOW),
        (4, TrapReason.BAD_CONVERSION_TO_INTEGER),
        (5, TrapReason.BAD_SIGNATURE),
        (6, TrapReason.INDIRECT_CALL_TO_NULL),
        (7, TrapReason.TABLE_OUT_OF_BOUNDS),
    ],
)
def test_each_fault_of_wasm_has_its_own_reason(start, fault, reason):
    """What a guest does wrong is told by its name."""
    assert _run(start, "faults", UNHURRIED, bytes([fault])).reason is reason


def test_a_response_of_100_mib_is_too_large(start):
    """A length beyond the limit is refused before it is looked at, whether or not the memory has it."""
    answer = struct.pack("<q", (1024 << 32) | (100 << 20))
    assert _run(start, "answer", UNHURRIED, answer).reason is TrapReason.OUTPUT_TOO_LARGE


def test_a_response_just_at_the_limit_is_taken(start):
    """max_output_bytes may be reached, and not passed."""
    limits = Limits(max_output_bytes=100)
    assert len(start("echo", limits).handle(b"x" * 100)) == 100
    assert _run(start, "echo", limits, b"x" * 101).reason is TrapReason.OUTPUT_TOO_LARGE


def test_a_name_made_to_confuse_stays_one_printable_line(start):
    """A function's name from the module reaches the detail of a trap only as printable text of bounded length."""
    name = "\\1b[2Jforged\\0aline" + "n" * 5_000
    module = f"""(module (memory (export "memory") 2)
      (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
      (func $x (@name "{name}") (export "handle_message") (param i32 i32) (result i64) (unreachable)))"""
    detail = _run(start, module, UNHURRIED).detail
    assert detail.isprintable()
    assert "forged" in detail
    assert len(detail) <= 300


def test_a_fault_handler_does_not_turn_a_trap_into_a_dead_process(tmp_path):
    """With faulthandler enabled after the engine, every kind of trap is still an exception."""
    program = """
import faulthandler, sys, wasmtime
from caxton.agents.limits import Limits
from workers.sandbox.engine import GuestEngine
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.traps import Trap
from workers.sandbox.watchdog import Watchdog
engine, limits = GuestEngine(), Limits(max_execution_ms=10_000)
faulthandler.enable()
module = wasmtime.Module(engine.wasmtime, wasmtime.wat2wasm(open(sys.argv[1]).read()))
for fault in range(8):
    try:
        Sandbox(engine, module, limits, Watchdog(engine), lambda level, line: None).handle(bytes([fault]))
    except Trap as trap:
        print(trap.reason)
"""
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", program, str(root / "tests/guests/faults.wat")],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(set(done.stdout.split())) == 8
