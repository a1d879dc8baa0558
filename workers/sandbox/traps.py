"""How a guest's call can end badly: a trap ends the instance, an error code of the guest's own does not."""

import re
from enum import StrEnum

from caxton.agents.limits import PAGE, Limits
from caxton.errors import ResourceLimitExceeded, WasmExecutionFailed
from caxton.printable import one_line

MAX_DETAIL = 300
MAX_HOST_CALLS = 1_000


class TrapReason(StrEnum):
    """Why a guest was stopped."""

    UNREACHABLE = "unreachable"
    STACK_OVERFLOW = "stack_overflow"
    MEMORY_OUT_OF_BOUNDS = "memory_out_of_bounds"
    TABLE_OUT_OF_BOUNDS = "table_out_of_bounds"
    INDIRECT_CALL_TO_NULL = "indirect_call_to_null"
    BAD_SIGNATURE = "bad_signature"
    INTEGER_OVERFLOW = "integer_overflow"
    INTEGER_DIVISION_BY_ZERO = "integer_division_by_zero"
    BAD_CONVERSION_TO_INTEGER = "bad_conversion_to_integer"
    OTHER = "other"
    OUT_OF_FUEL = "out_of_fuel"
    DEADLINE = "deadline"
    MEMORY_REFUSED = "memory_refused"
    BAD_POINTER = "bad_pointer"
    OUTPUT_TOO_LARGE = "output_too_large"
    HOST_CALL_QUOTA = "host_call_quota"
    INSTANTIATION = "instantiation"


# wasmtime's numbers (wasmtime_trap_code_enum); what a core module of our profile cannot cause is OTHER.
_BY_CODE: dict[int, TrapReason] = {
    0: TrapReason.STACK_OVERFLOW,
    1: TrapReason.MEMORY_OUT_OF_BOUNDS,
    3: TrapReason.TABLE_OUT_OF_BOUNDS,
    4: TrapReason.INDIRECT_CALL_TO_NULL,
    5: TrapReason.BAD_SIGNATURE,
    6: TrapReason.INTEGER_OVERFLOW,
    7: TrapReason.INTEGER_DIVISION_BY_ZERO,
    8: TrapReason.BAD_CONVERSION_TO_INTEGER,
    9: TrapReason.UNREACHABLE,
    10: TrapReason.DEADLINE,
    11: TrapReason.OUT_OF_FUEL,
}

# The innermost frame of the backtrace in wasmtime's message: an offset in the module, and the function's name.
_PLACE = re.compile(r"^ *0: +(0x[0-9a-f]+) - (?:<unknown>!)?(.{0,100})", re.MULTILINE)

# A guest's resource, as errors name it: the field of Limits that it went beyond.
_RESOURCES = {
    TrapReason.OUT_OF_FUEL: "max_fuel",
    TrapReason.DEADLINE: "max_execution_ms",
    TrapReason.MEMORY_REFUSED: "max_memory_bytes",
    TrapReason.OUTPUT_TOO_LARGE: "max_output_bytes",
}


class Trap(Exception):
    """The guest was stopped; its instance is no longer to be used. `detail` is one printable line.

    attempted: of a limit, how much the guest wanted; 0 when nobody knows.
    """

    def __init__(self, reason: TrapReason, detail: str, attempted: int = 0) -> None:
        self.reason = reason
        self.attempted = attempted
        self.detail = one_line(detail, MAX_DETAIL)
        super().__init__(f"{reason}: {self.detail}")


class GuestError(Exception):
    """The guest answered with an error code of its own, below zero; its instance stays as it is."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"the guest answered with its error code {code}")


def reason_of(code: int | None) -> TrapReason:
    """Return the reason for wasmtime's trap code; OTHER for one that has none, or that is new."""
    return TrapReason.OTHER if code is None else _BY_CODE.get(code, TrapReason.OTHER)


def stopped(code: int | None, message: str, memory_bytes: int, limits: Limits) -> Trap:
    """Return the Trap for what wasmtime said of a guest whose memory has `memory_bytes` by now.

    A guest is told by memory.grow that it gets no more memory, and most then give up with `unreachable`: that, with a
    memory to which not one page could be added, is MEMORY_REFUSED.
    """
    reason = reason_of(code)
    cause = message.rpartition("Caused by:")[2].strip()
    place = _PLACE.search(message)
    cause = cause.removeprefix("wasm trap: ")
    detail = f"{cause}, at {place[1]} {place[2]}" if place else cause
    if reason is TrapReason.UNREACHABLE and limits.max_memory_bytes - memory_bytes < PAGE:
        gave_up = f"it gave up with a memory of {memory_bytes} bytes, its limit: {detail}"
        return Trap(TrapReason.MEMORY_REFUSED, gave_up, memory_bytes + PAGE)
    return Trap(reason, detail)


def not_instantiated(message: str) -> Trap:
    """Return the Trap for a module of which wasmtime made no instance."""
    if "exceeds memory limits" in message or "exceeds table limits" in message or "resource limit" in message:
        return Trap(TrapReason.MEMORY_REFUSED, message)
    return Trap(TrapReason.INSTANTIATION, message)


def to_error(trap: Trap, agent: str, limits: Limits) -> WasmExecutionFailed | ResourceLimitExceeded:
    """Return the typed error that the sender of the message gets for `trap`."""
    if trap.reason is TrapReason.HOST_CALL_QUOTA:
        return ResourceLimitExceeded(agent, "host_calls_per_turn", MAX_HOST_CALLS, trap.detail, trap.attempted)
    resource = _RESOURCES.get(trap.reason)
    if resource is None:
        return WasmExecutionFailed(agent, trap.reason.value, trap.detail)
    return ResourceLimitExceeded(agent, resource, getattr(limits, resource), trap.detail, trap.attempted)
