"""Traps become the typed errors that senders see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.limits import Limits
from caxton.errors import ResourceLimitExceeded, WasmExecutionFailed
from workers.sandbox.traps import Trap, TrapReason, reason_of, stopped, to_error

LIMITS = Limits()


@pytest.mark.parametrize(
    ("reason", "resource", "limit"),
    [
        (TrapReason.OUT_OF_FUEL, "max_fuel", LIMITS.max_fuel),
        (TrapReason.DEADLINE, "max_execution_ms", LIMITS.max_execution_ms),
        (TrapReason.MEMORY_REFUSED, "max_memory_bytes", LIMITS.max_memory_bytes),
        (TrapReason.OUTPUT_TOO_LARGE, "max_output_bytes", LIMITS.max_output_bytes),
        (TrapReason.HOST_CALL_QUOTA, "host_calls_per_turn", 1_000),
    ],
)
def test_a_limit_that_was_passed_is_named_with_its_value(reason, resource, limit):
    """Going beyond a limit is a ResourceLimitExceeded with the limit's name and number."""
    error = to_error(Trap(reason, "why"), "greedy", LIMITS)
    assert isinstance(error, ResourceLimitExceeded)
    assert (error.agent, error.resource, error.limit, error.detail) == ("greedy", resource, limit, "why")


@pytest.mark.parametrize(
    "reason",
    sorted(
        set(TrapReason)
        - {
            TrapReason.OUT_OF_FUEL,
            TrapReason.DEADLINE,
            TrapReason.MEMORY_REFUSED,
            TrapReason.OUTPUT_TOO_LARGE,
            TrapReason.HOST_CALL_QUOTA,
        }
    ),
)
def test_every_other_trap_is_an_execution_that_failed(reason):
    """All other traps are WasmExecutionFailed, with the reason as text."""
    error = to_error(Trap(reason, "why"), "faulty", LIMITS)
    assert isinstance(error, WasmExecutionFailed)
    assert (error.agent, error.reason, error.detail) == ("faulty", reason.value, "why")


@given(code=st.none() | st.integers(0, 255))
def test_a_code_that_nobody_knows_is_still_a_reason(code):
    """A trap code that wasmtime may add later is OTHER, not an exception."""
    assert reason_of(code) in TrapReason


def test_what_a_guest_wanted_is_told_where_it_is_known():
    """With the limit stands how much it was that went beyond it."""
    limit = LIMITS.max_memory_bytes
    error = to_error(stopped(9, "", limit, LIMITS), "greedy", LIMITS)
    assert (error.limit, error.attempted) == (limit, limit + 65_536)
    assert str(error).endswith(f"it wanted {limit + 65_536}")
    assert "wanted" not in str(to_error(Trap(TrapReason.OUT_OF_FUEL, "why"), "greedy", LIMITS))


def test_giving_up_below_the_memory_limit_is_not_a_refusal():
    """Unreachable is MEMORY_REFUSED only when not one page could be added."""
    limit = LIMITS.max_memory_bytes
    assert stopped(9, "", limit, LIMITS).reason is TrapReason.MEMORY_REFUSED
    assert stopped(9, "", limit - 65_536, LIMITS).reason is TrapReason.UNREACHABLE
    assert stopped(1, "", limit, LIMITS).reason is TrapReason.MEMORY_OUT_OF_BOUNDS


def test_what_a_trap_says_is_cut():
    """Whatever a guest makes its trap say, 300 characters of it are kept, and they print."""
    assert Trap(TrapReason.UNREACHABLE, "x" * 300).detail == "x" * 300
    assert len(Trap(TrapReason.UNREACHABLE, "\x1b" * 10_000).detail) <= 300
