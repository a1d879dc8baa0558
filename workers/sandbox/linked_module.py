"""A module that was checked and linked: what an agent's instance is made from."""

import wasmtime

from caxton.agents.limits import Limits
from workers.sandbox import abi
from workers.sandbox.traps import Trap, TrapReason, not_instantiated, stopped


class LinkedModule:
    """A module with its imports resolved. Raises Trap when it does not speak the ABI.

    The raw call trusts the types of what it calls, so no module gets past here unchecked, whoever loaded it.

    has_init: it exports caxton_init. has_imports: it can call the host.
    """

    __slots__ = ("_instance_pre", "has_imports", "has_init")

    def __init__(self, linker: wasmtime.Linker, module: wasmtime.Module) -> None:
        fault = abi.type_fault(module)
        if fault is not None:
            raise Trap(TrapReason.INSTANTIATION, f"{fault.problem}: {', '.join(fault.names)}")
        self._instance_pre = linker.instantiate_pre(module)
        self.has_init = abi.exports(module, "caxton_init")
        self.has_imports = bool(module.imports)

    def instantiate(self, store: wasmtime.Store, limits: Limits) -> wasmtime.Instance:
        """Make an instance; its start function, if it has one, runs here. Raises Trap."""
        try:
            return self._instance_pre.instantiate(store)
        except wasmtime.Trap as trap:
            code = trap.trap_code
            problem = stopped(None if code is None else code.value, trap.message, 0, limits)
        except wasmtime.WasmtimeError as error:
            problem = not_instantiated(str(error))
        # Outside of the except clauses, so that what wasmtime raised is not kept alive with the trap.
        raise Trap(problem.reason, f"while it was instantiated: {problem.detail}")
