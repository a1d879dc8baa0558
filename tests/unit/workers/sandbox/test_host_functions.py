"""What a guest may ask of its host, and how often."""

import gc
import struct
import weakref

import pytest

from workers.sandbox.host_functions import MAX_LINE_BYTES, MAX_LINES
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.traps import MAX_HOST_CALLS, Trap, TrapReason


def test_a_line_arrives_with_its_level(nursery):
    """What a guest logs is passed on, as text, with its level."""
    assert nursery.start("log").handle(b"hello") == b"hello"
    assert nursery.logged == [(1, "hello")]


def test_a_start_function_may_log(nursery):
    """The first words of a guest come before its first message."""
    nursery.start("log_in_start")
    assert nursery.logged == [(1, "born")]


def test_a_line_is_printable_and_bounded(nursery):
    """Control characters, newlines and bytes that are no UTF-8 arrive escaped, and a long line is cut."""
    sandbox = nursery.start("log")
    sandbox.handle(b"a\x1b[2J\nforged: \xff\x00")
    sandbox.handle(b"\x01" * 50_000)
    lines = [line for _, line in nursery.logged]
    assert all(line.isprintable() and len(line) <= MAX_LINE_BYTES for line in lines)
    assert "forged" in lines[0]


def test_lines_beyond_the_quota_are_dropped_and_counted(nursery):
    """A turn has 64 lines; the next turn has 64 again."""
    sandbox = nursery.start("log_many")
    for _ in range(2):
        assert sandbox.handle(struct.pack("<i", MAX_LINES + 10)) is None
    assert len([line for _, line in nursery.logged if line is not None]) == 2 * MAX_LINES
    assert len([line for _, line in nursery.logged if line is None]) == 2 * 10


def test_a_thousand_host_calls_are_fine_and_one_more_is_a_trap(nursery):
    """The quota of host calls ends the guest that goes beyond it."""
    assert nursery.start("log_many").handle(struct.pack("<i", MAX_HOST_CALLS)) is None
    with pytest.raises(Trap) as raised:
        nursery.start("log_many").handle(struct.pack("<i", MAX_HOST_CALLS + 1))
    assert raised.value.reason is TrapReason.HOST_CALL_QUOTA


def test_a_log_that_fails_ends_that_guest_alone(nursery):
    """An exception of the host's own log does not unwind through the guest: it is told as a trap."""

    def broken(_level: int, _line: str) -> None:
        raise OSError("disk full")

    sandbox = Sandbox(nursery.engine, nursery.module("log"), nursery.start("echo")._limits, nursery.watchdog, broken)
    with pytest.raises(Trap, match="disk full"):
        sandbox.handle(b"x")
    sandbox.close()
    assert nursery.start("log").handle(b"y") == b"y"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
def test_nothing_but_a_value_leaves_a_host_function(nursery, kind):
    """What is no Exception ends the guest as well, and the next one that traps says its own reason."""

    def interrupted(_level: int, _line: str) -> None:
        raise kind("out of here")

    log, neighbour = nursery.module("log"), nursery.start("faults")
    sandbox = Sandbox(nursery.engine, log, neighbour._limits, nursery.watchdog, interrupted)
    with pytest.raises(Trap, match="out of here"):
        sandbox.handle(b"x")
    sandbox.close()
    with pytest.raises(Trap) as raised:
        neighbour.handle(bytes([2]))
    assert raised.value.reason is TrapReason.INTEGER_DIVISION_BY_ZERO


def test_a_sandbox_that_nobody_holds_is_freed(nursery):
    """Neither the host's functions nor its table of turns keep a sandbox, or its store, alive."""
    before = len(nursery.engine.host.turns)
    sandbox = Sandbox(
        nursery.engine, nursery.module("log"), nursery.start("echo")._limits, nursery.watchdog, nursery._log
    )
    sandbox.handle(b"x")
    sandbox_seen, store_seen = weakref.ref(sandbox), weakref.ref(sandbox._store)
    del sandbox
    gc.collect()
    assert sandbox_seen() is None
    assert store_seen() is None
    assert len(nursery.engine.host.turns) == before + 1
