"""Compiled modules: made from wasm by the compiler process, loaded from the cache by workers."""

from collections import OrderedDict
from collections.abc import Iterable
from weakref import WeakKeyDictionary, WeakValueDictionary

import wasmtime

from caxton.agents.limits import MAX_MODULE
from caxton.errors import InvalidModule
from caxton.printable import one_line
from caxton.store.module_cache import ModuleCache
from workers.sandbox.engine import GuestEngine
from workers.sandbox.traps import MAX_DETAIL

# Of the modules that no instance needs, the last used are kept, so many of them and so many bytes of native code.
MAX_LOADED, MAX_LOADED_BYTES = 256, 128 << 20

_MAGIC = b"\0asm"
_CORE_VERSION = b"\1\0\0\0"
_PREAMBLE = len(_MAGIC) + len(_CORE_VERSION)


class ModuleMissing(LookupError):
    """The cache has no artifact of this module for this engine, or none that can be trusted: compile it again."""

    def __init__(self, sha256: bytes) -> None:
        self.sha256 = sha256
        super().__init__(f"no compiled module {sha256.hex()}")


class Modules:
    """The modules of one worker, loaded at first use. Those of instances stay, and of the others the last used.

    loads: how often one was read from the cache. unreadable: how often the engine did not take what the cache holds.
    """

    def __init__(self, cache: ModuleCache, engine: GuestEngine) -> None:
        self.loads = 0
        self.unreadable = 0
        self._cache = cache
        self._engine = engine
        # What is kept whether or not it is used, with its bytes; and all that is there, while anybody refers to it.
        self._loaded: OrderedDict[bytes, tuple[wasmtime.Module, int]] = OrderedDict()
        self._loaded_bytes = 0
        self._alive: WeakValueDictionary[bytes, wasmtime.Module] = WeakValueDictionary()
        self._sizes: WeakKeyDictionary[wasmtime.Module, int] = WeakKeyDictionary()

    def load(self, sha256: bytes) -> wasmtime.Module:
        """Return the module whose source has this sha256; raises ModuleMissing."""
        found = self._loaded.get(sha256)
        if found is not None:
            self._loaded.move_to_end(sha256)
            return found[0]
        module = self._alive.get(sha256)
        if module is None:
            module = self._alive[sha256] = self._read(sha256)
        self._keep(sha256, module)
        return module

    def touch(self, sha256: bytes) -> bool:
        """Mark a module as used, so that it is not removed from the disk for a while; False when it is not there."""
        return self._cache.touch(sha256, self._engine.engine_id)

    def touch_all(self, modules: Iterable[bytes]) -> None:
        """Mark modules as used; on any thread. Raises StorageError."""
        for sha256 in modules:
            self.touch(sha256)

    def _keep(self, sha256: bytes, module: wasmtime.Module) -> None:
        size = self._sizes[module]
        self._loaded[sha256] = module, size
        self._loaded_bytes += size
        while len(self._loaded) > 1 and (len(self._loaded) > MAX_LOADED or self._loaded_bytes > MAX_LOADED_BYTES):
            _, (_, oldest) = self._loaded.popitem(last=False)
            self._loaded_bytes -= oldest

    def _read(self, sha256: bytes) -> wasmtime.Module:
        # Only the cache's artifacts come here, and only those that carry its mark: deserialize trusts them fully.
        artifact = self._cache.artifact(sha256, self._engine.engine_id)
        if artifact is None:
            raise ModuleMissing(sha256)
        try:
            module = wasmtime.Module.deserialize(self._engine.wasmtime, artifact)
        except wasmtime.WasmtimeError:
            # Compiled for another processor, on a machine that this directory came from.
            self.unreadable += 1
            raise ModuleMissing(sha256) from None
        self.loads += 1
        self._sizes[module] = len(artifact)
        return module


def compile_module(engine: GuestEngine, agent: str, wasm: bytes) -> wasmtime.Module:
    """Compile a core module; raises InvalidModule for whatever is not one. Bounded only by its process's limits."""
    problem = _refusal(wasm)
    if problem is not None:
        raise InvalidModule(agent, problem)
    try:
        return wasmtime.Module(engine.wasmtime, wasm)
    except wasmtime.WasmtimeError as error:
        raise InvalidModule(agent, f"it does not compile: {one_line(str(error), MAX_DETAIL)}") from None


def _what_instead(source: bytes) -> str:
    """Say what to do with what is no binary: it may be WebAssembly text, or the source of one."""
    if source[:MAX_DETAIL].lstrip().startswith((b"(", b";;")):
        return "it is text: assemble it first, with wat2wasm or wasmtime.wat2wasm (docs/tutorial.md)"
    return "compile it first (docs/tutorial.md)"


def _refusal(wasm: bytes) -> str | None:
    """Say why `wasm` is not worth compiling; None when it may be."""
    if len(wasm) > MAX_MODULE:
        return f"the module has {len(wasm)} bytes, and the limit is {MAX_MODULE}"
    if not wasm.startswith(_MAGIC):
        return "this is not a wasm binary: it does not start with \\0asm; " + _what_instead(wasm)
    if len(wasm) < _PREAMBLE:
        return f"the module is truncated: it has {len(wasm)} bytes"
    version = wasm[len(_MAGIC) : _PREAMBLE]
    if version[2:] == b"\1\0":
        return "this is a component; agents are core modules (see docs/abi.md)"
    if version != _CORE_VERSION:
        return f"this is wasm of version {int.from_bytes(version, 'little')}; agents are core modules of version 1"
    return None
