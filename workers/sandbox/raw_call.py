"""The call into a guest through wasmtime's C API, all prepared: about 0.3 us, where `Func.__call__` takes 20.

Nothing here checks anything. Whoever calls has made sure of three things: the function has the type that the slots are
filled for, the store is open, and no other thread is inside the same engine's slots.

Two ways to reach the same library. Through `CDLL` the interpreter lock is released, so the watchdog can act while a
guest runs. Through `PyDLL` it is kept, which is quicker (0.1 us) and, between two bytecodes, atomic.
"""

import ctypes
from typing import Any

from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi

_LIBRARY = ffi.dll._name  # noqa: SLF001 # the library's path has no public name
_releasing = ctypes.CDLL(_LIBRARY)
_holding = ctypes.PyDLL(_LIBRARY)

# Function objects without argtypes: the arguments are prepared with `address` and `number`, and are passed as they are.
call_guest = _releasing.wasmtime_func_call_unchecked
call_guest.restype = ctypes.c_void_p
get_fuel = _holding.wasmtime_context_get_fuel
get_fuel.restype = ctypes.c_void_p
set_fuel = _holding.wasmtime_context_set_fuel
set_fuel.restype = ctypes.c_void_p
set_epoch_deadline = _holding.wasmtime_context_set_epoch_deadline
set_epoch_deadline.restype = None
increment_epoch = _holding.wasmtime_engine_increment_epoch
increment_epoch.restype = None
memory_length = _holding.wasmtime_memory_data_size
memory_length.restype = ctypes.c_size_t
memory_address = _holding.wasmtime_memory_data
memory_address.restype = ctypes.c_void_p


def address(value: int | None) -> Any:
    """Return an address as an argument for the functions above; it keeps nothing alive."""
    return ctypes.c_void_p.from_param(value)


def number(value: int) -> Any:
    """Return a number from 0 to 2**64-1 as an argument for the functions above."""
    return ctypes.c_uint64.from_param(value)


ONE = number(1)
TWO = number(2)

# Words of 8 bytes: two slots of 16 bytes that hold the arguments and then the result, a trap's address, the fuel left.
FIRST, SECOND, TRAP, FUEL = 0, 2, 4, 5
_WORDS = 6
_WORD_BYTES = 8


class Slots:
    """Where arguments, result, trap and fuel pass between here and wasmtime; one per engine, reused by every call."""

    __slots__ = ("_room", "arguments", "fuel", "trap", "words")

    def __init__(self) -> None:
        self._room = (ctypes.c_int64 * _WORDS)()
        start = ctypes.addressof(self._room)
        self.words = memoryview(self._room).cast("B").cast("q")
        self.arguments = address(start)
        self.trap = address(start + TRAP * _WORD_BYTES)
        self.fuel = address(start + FUEL * _WORD_BYTES)


def take_trap(pointer: int) -> tuple[int | None, str]:
    """Return a trap's code (None when it has none) and its message, and delete it."""
    trap = ctypes.cast(pointer, ctypes.POINTER(ffi.wasm_trap_t))
    code = bindings.wasmtime_trap_code_t()
    has_code = bindings.wasmtime_trap_code(trap, ctypes.byref(code))
    message = ffi.wasm_byte_vec_t()
    bindings.wasm_trap_message(trap, ctypes.byref(message))
    text = _text(message)
    bindings.wasm_trap_delete(trap)
    return (code.value if has_code else None), text


def take_error(pointer: int) -> str:
    """Return an error's message, and delete it."""
    error = ctypes.cast(pointer, ctypes.POINTER(bindings.wasmtime_error_t))
    message = ffi.wasm_byte_vec_t()
    bindings.wasmtime_error_message(error, ctypes.byref(message))
    text = _text(message)
    bindings.wasmtime_error_delete(error)
    return text


def _text(vector: ffi.wasm_byte_vec_t) -> str:
    raw = ctypes.string_at(vector.data, vector.size) if vector.size else b""
    bindings.wasm_byte_vec_delete(ctypes.byref(vector))
    return raw.rstrip(b"\0").decode("utf-8", "replace")
