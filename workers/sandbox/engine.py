"""The wasmtime engine of a process, with the feature profile that guests are compiled for and run with.

Everything a guest could use beyond what today's compilers emit is off. docs/adr/0003-sandbox-memory.md has the
measurements behind the memory settings.
"""

import ctypes
import hashlib
import platform
from pathlib import Path
from weakref import WeakKeyDictionary

import wasmtime

from caxton.agents.limits import BOUNDS, KIB
from workers.sandbox.engine_version import engine_version
from workers.sandbox.host_functions import HostFunctions
from workers.sandbox.linked_module import LinkedModule
from workers.sandbox.raw_call import Slots, address, increment_epoch

DEFAULT_PROFILE: dict[str, object] = {
    "wasm_bulk_memory": True,
    "wasm_reference_types": True,
    "wasm_multi_value": True,
    "wasm_simd": False,
    "wasm_relaxed_simd": False,
    "wasm_threads": False,
    "shared_memory": False,
    "wasm_tail_call": False,
    "wasm_multi_memory": False,
    "wasm_memory64": False,
    "wasm_exceptions": False,
    "wasm_function_references": False,
    "wasm_gc": False,
    "gc_support": False,
    "wasm_wide_arithmetic": False,
    "wasm_custom_page_sizes": False,
    "wasm_stack_switching": False,
    "wasm_component_model": False,
}

RUN_SETTINGS: dict[str, object] = {
    "strategy": "cranelift",
    "consume_fuel": True,
    "epoch_interruption": True,
    # Traps are compiled as checks, not as processor faults: a fault handler installed later cannot kill the process.
    "signals_based_traps": False,
    "max_wasm_stack": 512 * KIB,
    # The address space that a memory may ever need, so that it grows in place and its base never moves.
    "memory_reservation": BOUNDS["max_memory_bytes"][1],
    "memory_may_move": False,
    "memory_guard_size": 0,
    "memory_reservation_for_growth": 0,
    "memory_init_cow": False,
    # A compile has its processor time limited as a whole; threads would only take address space from it.
    "parallel_compilation": False,
}

# Each memory takes two of the mappings that the kernel allows a process; the rest of the process keeps this many.
_MAPPINGS_PER_SANDBOX = 2
_OTHER_MAPPINGS = 4_096
_MAX_MAP_COUNT = Path("/proc/sys/vm/max_map_count")


class GuestEngine:
    """The one engine of a process: what compiles, loads and interrupts guests.

    wasmtime: the engine itself. engine_id: 16 hex digits that name what this engine compiles; engines of equal id
    exchange artifacts. epoch: how often guests were interrupted. slots: where calls pass their arguments.
    max_sandboxes: how many may live at once; 30,717 with the kernel's default of 65,530 mappings.
    """

    def __init__(self) -> None:
        settings = DEFAULT_PROFILE | RUN_SETTINGS
        config = wasmtime.Config()
        for name, value in settings.items():
            setattr(config, name, value)
        self.wasmtime = wasmtime.Engine(config)
        self.engine_id = _identify(settings)
        self.epoch = 0
        mappings = int(_MAX_MAP_COUNT.read_text())
        self.max_sandboxes = max(1, (mappings - _OTHER_MAPPINGS) // _MAPPINGS_PER_SANDBOX)
        self.slots = Slots()
        self.host = HostFunctions(self.wasmtime)
        self.address = address(ctypes.cast(self.wasmtime.ptr(), ctypes.c_void_p).value)
        self._linked: WeakKeyDictionary[wasmtime.Module, LinkedModule] = WeakKeyDictionary()

    def interrupt(self) -> None:
        """Trap the guest that is running; every other store must set its epoch deadline again before it runs."""
        self.epoch += 1
        increment_epoch(self.address)

    def linked(self, module: wasmtime.Module) -> LinkedModule:
        """Return `module` with its imports resolved, made at first use; raises Trap when it does not speak the ABI."""
        found = self._linked.get(module)
        if found is None:
            found = self._linked[module] = LinkedModule(self.host.linker, module)
        return found


def _identify(settings: dict[str, object]) -> str:
    parts = [engine_version(), platform.machine(), *(f"{name}={value}" for name, value in sorted(settings.items()))]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()
