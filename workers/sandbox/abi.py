"""ABI v1: what a module may import and must export. docs/abi.md tells it to guests' authors."""

from dataclasses import dataclass

import wasmtime

from caxton.agents.limits import PAGE, Limits
from caxton.errors import InvalidModule, NoMemoryExport
from caxton.printable import one_line
from workers.sandbox import borrowed_entries

IMPORT_MODULE = "caxton_v1"
LOG_PARAMETERS = ("i32", "i32", "i32")
MAX_NAMES = 100
MAX_NAME = 100

# The types of a function's parameters, and of its results.
Signature = tuple[tuple[str, ...], tuple[str, ...]]
IMPORTS: dict[str, Signature] = {f"{IMPORT_MODULE}.log": (LOG_PARAMETERS, ())}
REQUIRED: dict[str, Signature] = {
    "caxton_alloc": (("i32",), ("i32",)),
    "handle_message": (("i32", "i32"), ("i64",)),
}
OPTIONAL: dict[str, Signature] = {
    "caxton_init": (("i32", "i32"), ("i32",)),
    "caxton_shutdown": ((), ()),
    "handle_timer": (("i32",), ("i64",)),
}


@dataclass(frozen=True)
class Fault:
    """Why a module does not fit, and the imports or exports at fault."""

    problem: str
    names: tuple[str, ...] = ()
    lacks_memory: bool = False


def check(module: wasmtime.Module, agent: str, limits: Limits) -> None:
    """Raise InvalidModule unless `module` speaks ABI v1 and its memory can start within `limits`.

    NoMemoryExport, if that is what it lacks.
    """
    fault = type_fault(module) or _memory_fault(module, limits)
    if fault is not None:
        names = _listed(fault.names)
        if fault.lacks_memory:
            raise NoMemoryExport(agent, fault.problem, names)
        raise InvalidModule(agent, fault.problem, names)


def check_entries(module: wasmtime.Module, agent: str, wasm: bytes) -> None:
    """Raise InvalidModule when a checked `module`, made from `wasm`, has an import as an entry point."""
    borrowed_entries.check(wasm, agent, len(module.imports), (REQUIRED | OPTIONAL).keys())


def type_fault(module: wasmtime.Module) -> Fault | None:
    """Return what is wrong with the module's imports, or else with its exports; None when it speaks ABI v1."""
    return _import_fault(module) or _export_fault(module)


def exports(module: wasmtime.Module, name: str) -> bool:
    """Return whether the module exports `name`."""
    return any(export.name == name for export in module.exports)


def _import_fault(module: wasmtime.Module) -> Fault | None:
    found = {f"{i.module}.{i.name}": _signature(i.type) for i in module.imports}
    unknown = tuple(name for name in found if name not in IMPORTS)
    if unknown:
        return Fault(f"it imports what there is not; a guest may import {', '.join(IMPORTS)}", unknown)
    mistyped = tuple(name for name, signature in found.items() if signature != IMPORTS[name])
    if mistyped:
        wanted = "; ".join(f"{name} is {_shown(IMPORTS[name])}" for name in mistyped)
        return Fault(f"it imports with the wrong type: {wanted}", mistyped)
    return None


def _export_fault(module: wasmtime.Module) -> Fault | None:
    found = {export.name: export.type for export in module.exports}
    missing = [name for name in ("memory", *REQUIRED) if name not in found]
    mistyped = [] if "memory" in missing or _is_plain_memory(found["memory"]) else ["memory: must be a memory"]
    for name, wanted in (REQUIRED | OPTIONAL).items():
        if name in found and _signature(found[name]) != wanted:
            mistyped.append(f"{name}: must be {_shown(wanted)}")
    if not missing and not mistyped:
        return None
    problems = []
    if missing:
        problems.append(f"it does not export {', '.join(missing)}")
    if mistyped:
        problems.append(f"it exports with the wrong type {'; '.join(mistyped)}")
    return Fault(". ".join(problems), (*missing, *(text.split(":")[0] for text in mistyped)), "memory" in missing)


def _memory_fault(module: wasmtime.Module, limits: Limits) -> Fault | None:
    for export in module.exports:
        if export.name == "memory" and isinstance(export.type, wasmtime.MemoryType):
            least = export.type.limits.min * PAGE
            if least > limits.max_memory_bytes:
                return Fault(f"its memory starts with {least} bytes, and the limit is {limits.max_memory_bytes}")
    return None


def _is_plain_memory(kind: object) -> bool:
    return isinstance(kind, wasmtime.MemoryType) and not kind.is_64 and not kind.is_shared


def _signature(kind: object) -> Signature | None:
    if not isinstance(kind, wasmtime.FuncType):
        return None
    return tuple(str(t) for t in kind.params), tuple(str(t) for t in kind.results)


def _shown(signature: Signature) -> str:
    parameters, results = signature
    return f"({', '.join(parameters)}) -> ({', '.join(results)})"


def _listed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Keep a hostile module from filling the error: at most 100 names, each of 100 printable characters."""
    shown = tuple(one_line(name, MAX_NAME) for name in names[:MAX_NAMES])
    return shown if len(names) <= MAX_NAMES else (*shown, f"and {len(names) - MAX_NAMES} more")
