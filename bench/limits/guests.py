"""Many instances of one wasm module, called without a check of anything they say."""

import ctypes
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import wasmtime

from bench.limits.message import decode, encode

FUEL = 1_000_000
_FIRST_FUEL = 10**9
_BUFFER_BYTES = 65_536
_LENGTH = 0xFFFFFFFF


def answering(wasm: Path, agents: Iterable[int]) -> Callable[[bytes], bytes]:
    """Start an instance for each agent, and return what has them answer a frame.

    Per message: bytes in, fuel, the call, bytes out. Pointers and lengths are taken as they come.
    """
    call, set_fuel, guests = *_c_functions(), _start(wasm, agents)
    slots, trap, fuel, two = (ctypes.c_int64 * 4)(), ctypes.c_void_p(), ctypes.c_uint64(FUEL), ctypes.c_size_t(2)
    values, slots_at, trap_at = memoryview(slots).cast("B").cast("q"), ctypes.byref(slots), ctypes.byref(trap)

    def answer(frame: bytes) -> bytes:
        for message in (messages := decode(frame)):
            memory, buffer, context, function, _ = guests[message.receiver]
            length = len(message.content)
            memory[buffer : buffer + length] = message.content
            set_fuel(context, fuel)
            values[0], values[2] = buffer, length
            call(context, function, slots_at, two, trap_at)
            at, length = values[0] >> 32, values[0] & _LENGTH
            message.content = bytes(memory[at : at + length])
            message.sender, message.receiver = message.receiver, message.sender
            message.in_reply_to, message.reply_with = message.reply_with, None
        return encode(messages)

    return answer


def _c_functions() -> tuple[Any, Any]:
    """Return the call, which lets other threads run, and the setting of fuel, which is too short for that."""
    path = wasmtime._ffi.dll._name  # noqa: SLF001 (the C API behind the bindings)
    return ctypes.CDLL(path).wasmtime_func_call_unchecked, ctypes.PyDLL(path).wasmtime_context_set_fuel


def _start(wasm: Path, agents: Iterable[int]) -> dict[int, tuple[memoryview, int, Any, Any, wasmtime.Store]]:
    """Return for each agent its memory, its buffer, and what its function is called with."""
    config = wasmtime.Config()
    config.consume_fuel = True
    module = wasmtime.Module.from_file(engine := wasmtime.Engine(config), str(wasm))
    guests = {}
    for agent in agents:
        store = wasmtime.Store(engine)
        store.set_fuel(_FIRST_FUEL)
        exports: Any = wasmtime.Instance(store, module, []).exports(store)
        buffer = exports["caxton_alloc"](store, _BUFFER_BYTES)
        memory = memoryview(exports["memory"].get_buffer_ptr(store)).cast("B")
        function = ctypes.byref(exports["handle_message"]._func)  # noqa: SLF001 (what the C API takes)
        guests[agent] = memory, buffer, store._context(), function, store  # noqa: SLF001 (the same)
    return guests
