"""What a guest may ask of its host: `caxton_v1.log`, with a quota per turn.

A host function never raises through a guest: it answers with a trap of wasmtime's and leaves its reason in the turn.
Guests are told apart by their store's context, so no function here holds a store, and stores do not leak.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi

from caxton.printable import one_line
from workers.sandbox.abi import IMPORT_MODULE, LOG_PARAMETERS
from workers.sandbox.traps import MAX_HOST_CALLS, Trap, TrapReason

MAX_LINES = 64
MAX_LINE_BYTES = 4_096
LEVELS = ("debug", "info", "warning", "error")

_NO_FINALIZER = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
_MEMORY = b"memory"


class HostTurn:
    """What one guest has asked of the host in its current turn; `renew` starts the next.

    log: given the level and the text of each line, and None for each that is beyond the quota. refusal: the trap that a
    host function answered.
    """

    __slots__ = ("_log", "calls", "lines", "refusal")

    def __init__(self, log: Callable[[int, str | None], None]) -> None:
        self._log = log
        self.calls = 0
        self.lines = 0
        self.refusal: Trap | None = None

    def renew(self) -> None:
        """Give the guest its whole quota again."""
        self.calls = 0
        self.lines = 0

    def count_call(self) -> None:
        """Count one host call; raises Trap beyond the quota."""
        self.calls += 1
        if self.calls > MAX_HOST_CALLS:
            detail = f"more than {MAX_HOST_CALLS} host calls in one turn"
            raise Trap(TrapReason.HOST_CALL_QUOTA, detail, self.calls)

    def wants_line(self) -> bool:
        """Count one line; False when the turn has had all of its lines."""
        if self.lines >= MAX_LINES:
            self._log(0, None)
            return False
        self.lines += 1
        return True

    def log(self, level: int, line: bytes) -> None:
        """Pass one line on, printable and of at most 4,096 characters."""
        text = one_line(line.decode("utf-8", "replace"), MAX_LINE_BYTES)
        self._log(min(max(level, 0), len(LEVELS) - 1), text)


class HostFunctions:
    """The linker that every module of one engine is linked with.

    turns: by the address of its store's context, the turn of each guest that can call.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        self.turns: dict[int, HostTurn] = {}
        self.linker = wasmtime.Linker(engine)
        # wasmtime keeps the callback's address, so the object must live as long as the linker.
        self._callback = bindings.wasmtime_func_unchecked_callback_t(self._called)
        kind = wasmtime.FuncType([wasmtime.ValType.i32()] * len(LOG_PARAMETERS), [])
        module, name = IMPORT_MODULE.encode(), b"log"
        error = bindings.wasmtime_linker_define_func_unchecked(
            self.linker.ptr(),
            ctypes.create_string_buffer(module),
            len(module),
            ctypes.create_string_buffer(name),
            len(name),
            kind.ptr(),
            self._callback,
            None,
            _NO_FINALIZER,
        )
        if error:  # type: ignore[truthy-bool] # a C pointer is false when it is null
            raise wasmtime.WasmtimeError._from_ptr(error)  # noqa: SLF001 # the only way to own a C error

    def _called(self, _environment: object, caller: Any, arguments: Any, _count: int) -> int:
        """Serve a guest's `log`; returns 0, or the address of the trap that ends the guest."""
        context = bindings.wasmtime_caller_context(caller)
        turn = self.turns.get(ctypes.cast(context, ctypes.c_void_p).value or 0)
        if turn is None:
            return _new_trap("a host call from a guest that nobody knows")
        try:
            turn.count_call()
            if turn.wants_line():
                level, pointer, length = (arguments[i].i32 for i in range(len(LOG_PARAMETERS)))
                turn.log(level, _read(caller, context, pointer & 0xFFFF_FFFF, length & 0xFFFF_FFFF))
        except Trap as trap:
            turn.refusal = trap
        except BaseException as problem:  # noqa: BLE001 # nothing must unwind through the guest, whatever it is
            turn.refusal = Trap(TrapReason.OTHER, f"the host's log failed: {problem!r}")
        return 0 if turn.refusal is None else _new_trap(turn.refusal.detail)


def _read(caller: Any, context: Any, pointer: int, length: int) -> bytes:
    """Return the first 4,096 of the bytes that a guest points at; raises Trap when they are not all its own."""
    found = bindings.wasmtime_extern_t()
    if not bindings.wasmtime_caller_export_get(
        caller, ctypes.create_string_buffer(_MEMORY), len(_MEMORY), ctypes.byref(found)
    ):
        raise Trap(TrapReason.BAD_POINTER, "log: the caller exports no memory")
    memory = ctypes.byref(found.of.memory)
    size = bindings.wasmtime_memory_data_size(context, memory)
    if pointer + length > size:
        raise Trap(TrapReason.BAD_POINTER, f"log: {length} bytes at {pointer}, in a memory of {size}")
    start = ctypes.cast(bindings.wasmtime_memory_data(context, memory), ctypes.c_void_p).value or 0
    return ctypes.string_at(start + pointer, min(length, MAX_LINE_BYTES))


def _new_trap(message: str) -> int:
    text = message.encode()
    trap = ffi.wasmtime_trap_new(ctypes.create_string_buffer(text), len(text))
    return ctypes.cast(trap, ctypes.c_void_p).value or 0
