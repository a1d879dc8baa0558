"""A sandbox in ordinary use."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.agents.limits import Limits
from caxton.errors import ResourceExhausted
from workers.sandbox.sandbox import SandboxClosed
from workers.sandbox.traps import GuestError, Trap, TrapReason


@given(content=st.binary(max_size=20_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_echo_returns_what_it_was_given(all_sandboxes, content):
    """Every content comes back from the echo as it went in, the empty one included."""
    sandbox = all_sandboxes.start("bump")
    assert sandbox.handle(content) == content
    sandbox.close()


def test_zero_is_no_response(start):
    """A guest that returns 0 has no response."""
    assert start("faults").handle(b"\x08") is None


def test_an_empty_response_is_not_no_response(start):
    """A length of zero at a pointer above zero is an empty response."""
    assert start("answer").handle(struct.pack("<q", 1 << 32)) == b""


def test_a_negative_result_is_the_guests_error_and_the_instance_goes_on(start):
    """The guest's own error code is raised, and its memory is as it left it."""
    sandbox = start("count")
    with pytest.raises(GuestError) as raised:
        sandbox.handle(b"x")
    assert raised.value.code == -7
    assert sandbox.handle(b"") == struct.pack("<q", 2)


def test_two_sandboxes_share_no_memory(start):
    """What one guest counts another of the same module does not see."""
    one, other = start("count"), start("count")
    one.handle(b"")
    assert one.handle(b"") == struct.pack("<q", 2)
    assert other.handle(b"") == struct.pack("<q", 1)


def test_caxton_init_is_called_once_with_zeros(start):
    """The guest sees one call of caxton_init, with (0, 0), before its first message, and none after."""
    sandbox = start("init_counts")
    assert [sandbox.handle(b"") for _ in range(3)] == [struct.pack("<i", 1)] * 3


def test_the_in_buffer_is_asked_for_again_only_when_it_is_too_small(start):
    """A guest that never frees serves small messages from one buffer, and a larger one from a larger buffer."""
    sandbox = start("bump")
    for _ in range(100):
        assert sandbox.handle(b"x" * 4_000) is not None
    before = sandbox.memory_bytes
    assert before <= 2 * 65_536
    assert sandbox.handle(b"y" * 300_000) == b"y" * 300_000
    assert sandbox.memory_bytes > before
    assert sandbox.handle(b"small again") == b"small again"


def test_a_response_from_memory_that_has_just_grown_is_read(start):
    """A guest may answer from pages that it added in the same call."""
    sandbox = start("grown_reply")
    assert [sandbox.handle(b"") for _ in range(5)] == [b"grow"] * 5


def test_fuel_used_counts_what_the_guest_used(start):
    """The same work costs the same fuel each time, and more work costs more."""
    sandbox = start("burn")
    seen = []
    for turns in (1_000, 1_000, 2_000):
        before = sandbox.fuel_used
        sandbox.handle(struct.pack("<q", turns))
        seen.append(sandbox.fuel_used - before)
    assert seen[0] == seen[1] > 1_000
    assert seen[2] - seen[0] == pytest.approx(seen[0], rel=0.05)


def test_every_call_has_its_whole_fuel(start):
    """A guest that needs most of its fuel in each call is never short of it, however often it is called."""
    sandbox = start("burn", Limits(max_fuel=100_000, max_execution_ms=1_000))
    for _ in range(200):
        assert sandbox.handle(struct.pack("<q", 15_000)) is None
    with pytest.raises(Trap) as raised:
        sandbox.handle(struct.pack("<q", 20_000))
    assert raised.value.reason is TrapReason.OUT_OF_FUEL


def test_a_trap_charges_the_whole_budget(start):
    """After a trap the whole budget of that call counts as used."""
    sandbox = start("faults")
    before = sandbox.fuel_used
    with pytest.raises(Trap):
        sandbox.handle(b"\0")
    assert sandbox.fuel_used - before == 50_000_000


def test_there_are_no_more_sandboxes_than_the_kernel_has_mappings_for(start, engine, monkeypatch):
    """Beyond the bound a sandbox is refused before anything is mapped, and closing one makes room."""
    monkeypatch.setattr(engine, "max_sandboxes", len(engine.host.turns) + 2)
    first, second = start("echo"), start("echo")
    with pytest.raises(ResourceExhausted):
        start("echo")
    first.close()
    assert start("echo").handle(b"x") == second.handle(b"x") == b"x"


def test_closing_twice_is_fine_and_use_after_it_names_itself(start):
    """A closed sandbox says that it is closed, whatever is asked of it."""
    sandbox = start("echo")
    assert sandbox.handle(b"x") == b"x"
    sandbox.close()
    sandbox.close()
    for content in (b"", b"x", b"x" * 100_000):
        with pytest.raises(SandboxClosed):
            sandbox.handle(content)


def test_a_large_br_table_goes_where_it_says(start):
    """Of as many targets as the engine takes, each is reached by its own number."""
    count = 65_520
    targets = " ".join(("$one", "$two", "$three")[n % 3] for n in range(count))
    sandbox = start(f"""(module (memory (export "memory") 2)
      (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
      (func $answer (param i32) (result i64)
        (i32.store8 (i32.const 0) (local.get 0))
        (i64.const 1))
      (func (export "handle_message") (param i32 i32) (result i64)
        (block $three (block $two (block $one
          (br_table {targets} (i32.load (local.get 0))))
          (return (call $answer (i32.const 0))))
          (return (call $answer (i32.const 1))))
        (call $answer (i32.const 2))))""")
    numbers = [0, 1, 2, 255, 256, 16_383, 32_767, 32_768, count - 1]
    assert [sandbox.handle(struct.pack("<I", number))[0] for number in numbers] == [number % 3 for number in numbers]
