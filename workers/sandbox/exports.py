"""What an instance exports, found by name and prepared for the raw calls."""

import ctypes
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings

from workers.sandbox.raw_call import address


class Exports:
    """Looks up an instance's exports; the module was checked, so they are there and of the right type.

    Keeps what it has found alive, because a prepared argument is no more than an address.
    """

    __slots__ = ("_context", "_found", "_instance")

    def __init__(self, store: wasmtime.Store, instance: wasmtime.Instance) -> None:
        self._context = store._context()  # noqa: SLF001 # the C API takes nothing else
        self._instance = ctypes.byref(instance._instance)  # noqa: SLF001 # likewise
        self._found: list[object] = []

    def function(self, name: bytes) -> Any:
        """Return the function `name` as an argument of a raw call."""
        return address(ctypes.addressof(self._find(name).of.func))

    def memory(self) -> Any:
        """Return the memory as an argument of a raw call."""
        return address(ctypes.addressof(self._find(b"memory").of.memory))

    def _find(self, name: bytes) -> bindings.wasmtime_extern_t:
        found = bindings.wasmtime_extern_t()
        text = ctypes.create_string_buffer(name)
        if not bindings.wasmtime_instance_export_get(
            self._context, self._instance, text, len(name), ctypes.byref(found)
        ):
            raise LookupError(f"the instance does not export {name.decode()}")
        self._found.append(found)
        return found
