"""What a guest says about its memory is believed only as far as the memory goes."""

import struct

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caxton.agents.limits import Limits
from workers.sandbox.traps import GuestError, Trap, TrapReason

MEMORY = 2 * 65_536
ROOMY = Limits(max_output_bytes=10_000_000)
EDGES = st.sampled_from([0, 1, 2, 8, 65_535, 65_536, MEMORY - 1, MEMORY, MEMORY + 1, 2**31 - 1])
U32 = st.integers(0, 2**32 - 1) | EDGES
POINTERS = st.integers(0, 2**31 - 1) | EDGES | st.integers(0, MEMORY)
LENGTHS = U32 | st.integers(0, MEMORY)

over = settings(max_examples=4 * settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(pointer=POINTERS, length=LENGTHS)
@example(pointer=0, length=MEMORY)
@example(pointer=MEMORY, length=0)
@example(pointer=MEMORY - 1, length=2)
@example(pointer=2**31 - 1, length=2**32 - 1)
@over
def test_a_response_is_read_exactly_when_it_lies_in_the_memory(all_sandboxes, pointer, length):
    """Every pointer and length is answered with just those bytes, or with a trap that says what was wrong."""
    sandbox = all_sandboxes.start("answer", ROOMY)
    result = struct.pack("<q", pointer << 32 | length)
    expected = bytearray(MEMORY)
    expected[65_536 : 65_536 + 8] = result
    if pointer == length == 0:
        assert sandbox.handle(result) is None
    elif length <= ROOMY.max_output_bytes and pointer + length <= MEMORY:
        assert sandbox.handle(result) == expected[pointer : pointer + length]
    else:
        with pytest.raises(Trap) as raised:
            sandbox.handle(result)
        too_large = length > ROOMY.max_output_bytes
        assert raised.value.reason is (TrapReason.OUTPUT_TOO_LARGE if too_large else TrapReason.BAD_POINTER)
    sandbox.close()


@given(code=st.integers(-(2**63), -1))
@example(code=-(2**63))
@example(code=-1)
@over
def test_every_negative_result_is_an_error_code(all_sandboxes, code):
    """No negative number is taken for a pointer."""
    sandbox = all_sandboxes.start("answer", ROOMY)
    with pytest.raises(GuestError) as raised:
        sandbox.handle(struct.pack("<q", code))
    assert raised.value.code == code
    sandbox.close()


def _allocating(pointer: int) -> str:
    return f"""(module (memory (export "memory") 2)
      (func (export "caxton_alloc") (param i32) (result i32) (i32.const {pointer}))
      (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))"""


@pytest.mark.parametrize("pointer", [MEMORY - 4_095, MEMORY, MEMORY + 1, 2**31 - 1, -(2**31), -1, -4, -4_096])
def test_an_in_buffer_outside_of_the_memory_is_not_written(start, pointer):
    """caxton_alloc's answer is unsigned, and the whole buffer must lie in the memory."""
    with pytest.raises(Trap) as raised:
        start(_allocating(pointer))
    assert raised.value.reason is TrapReason.BAD_POINTER


def test_an_in_buffer_at_the_very_end_is_fine(start):
    """The last 4,096 bytes of a memory may be the in buffer."""
    assert start(_allocating(MEMORY - 4_096)).handle(b"x" * 4_096) is None


def test_an_answer_of_zero_from_caxton_alloc_is_a_refusal(start):
    """A guest that has no room for the in buffer says so with 0."""
    with pytest.raises(Trap) as raised:
        start(_allocating(0))
    assert raised.value.reason is TrapReason.MEMORY_REFUSED


def test_a_message_that_the_guest_has_no_room_for_is_a_refusal(start):
    """A guest within its memory limit that cannot hold a message is told apart from one that faults."""
    sandbox = start("bump", Limits(max_memory_bytes=2 * 65_536))
    assert sandbox.handle(b"x" * 4_000) == b"x" * 4_000
    with pytest.raises(Trap) as raised:
        sandbox.handle(b"x" * 500_000)
    assert raised.value.reason is TrapReason.MEMORY_REFUSED


def test_no_memory_at_all_holds_no_in_buffer(start):
    """A memory of no pages is legal wasm, and no in buffer fits into it."""
    module = """(module (memory (export "memory") 0)
      (func (export "caxton_alloc") (param i32) (result i32) (i32.const 1))
      (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))"""
    with pytest.raises(Trap) as raised:
        start(module)
    assert raised.value.reason is TrapReason.BAD_POINTER


@given(level=st.integers(-(2**31), 2**31 - 1), pointer=U32, length=U32)
@example(level=0, pointer=MEMORY, length=0)
@example(level=0, pointer=MEMORY, length=1)
@example(level=9, pointer=1024, length=15)
@over
def test_a_log_line_is_read_exactly_when_it_lies_in_the_memory(all_sandboxes, level, pointer, length):
    """Log reads inside of the caller's memory, or ends the caller."""
    sandbox = all_sandboxes.start("log_at")
    content = struct.pack("<iII", level, pointer, length)
    if pointer + length <= MEMORY:
        assert sandbox.handle(content) is None
        seen, line = all_sandboxes.logged.pop()
        assert seen == min(max(level, 0), 3)
        assert len(line) <= 4_096
    else:
        with pytest.raises(Trap) as raised:
            sandbox.handle(content)
        assert raised.value.reason is TrapReason.BAD_POINTER
        assert not all_sandboxes.logged
    sandbox.close()
