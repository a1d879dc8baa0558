"""One agent's sandbox: a store and an instance under every limit, and the call that handles one message."""

import ctypes
from collections.abc import Callable
from time import monotonic_ns, thread_time_ns
from typing import Any

import wasmtime

from caxton.agents.limits import KIB, Limits
from caxton.errors import ResourceExhausted
from workers.sandbox.engine import GuestEngine
from workers.sandbox.exports import Exports
from workers.sandbox.host_functions import HostTurn
from workers.sandbox.linked_module import LinkedModule
from workers.sandbox.raw_call import FIRST, FUEL, ONE, SECOND, TRAP, TWO, address, number, take_error, take_trap
from workers.sandbox.raw_call import call_guest as _call_guest
from workers.sandbox.raw_call import get_fuel as _get_fuel
from workers.sandbox.raw_call import memory_address as _memory_address
from workers.sandbox.raw_call import memory_length as _memory_length
from workers.sandbox.raw_call import set_epoch_deadline as _set_epoch_deadline
from workers.sandbox.raw_call import set_fuel as _set_fuel
from workers.sandbox.traps import GuestError, Trap, TrapReason, stopped
from workers.sandbox.watchdog import Watchdog

MAX_TABLES = 4
MAX_TABLE_ELEMENTS = 16_384
LEAST_IN_BUFFER = 4 * KIB

# What a message may take besides its content when it is handed over whole.
_ENVELOPE = 4 * KIB
# Fuel is filled up to a sixteenth above the limit, and again when less than the limit is left: so a small turn costs
# one call that reads the fuel, and none that sets it.
_FUEL_SLACK = 16
_U32 = 0xFFFF_FFFF
_NO_BUFFER = -1
_NO_MEMORY = memoryview(bytearray())


class SandboxClosed(RuntimeError):
    """The sandbox was closed, by its owner or because it could not start."""


class Sandbox:
    """A guest with a memory of its own. One thread makes, calls and closes it, and `log` calls no guest.

    state: what the agent returned last as its state, for caxton_init; a guest without caxton_init is not told.

    Raises Trap when the guest cannot start: its start function, caxton_init and caxton_alloc run under the limits too.
    Raises ResourceExhausted when the engine has as many sandboxes as the kernel has mappings for.
    After a Trap from anywhere the sandbox is to be closed. A call has at least `max_fuel`, and up to a sixteenth more.

    turn: what the guest has asked of the host. used_ns: computing time that the guest has had outside of `handle`, and
    that counts against the limit of the message which it was for. Whoever hands over that message takes it off.
    """

    __slots__ = (
        "__weakref__",
        "_alloc",
        "_arguments",
        "_capacity",
        "_context",
        "_context_at",
        "_engine",
        "_epoch",
        "_exports",
        "_filled",
        "_fuel",
        "_fuel_at",
        "_full_tank",
        "_handle",
        "_in_buffer",
        "_limit_ns",
        "_limits",
        "_max_fuel",
        "_max_output",
        "_memory",
        "_memory_at",
        "_module",
        "_size",
        "_spent",
        "_store",
        "_trap_at",
        "_turn",
        "_watchdog",
        "_words",
        "turn",
        "used_ns",
    )

    def __init__(
        self,
        engine: GuestEngine,
        module: wasmtime.Module,
        limits: Limits,
        watchdog: Watchdog,
        log: Callable[[int, str | None], None],
        state: bytes = b"",
    ) -> None:
        if len(engine.host.turns) >= engine.max_sandboxes:
            raise ResourceExhausted("sandboxes in this worker", engine.max_sandboxes)
        linked = engine.linked(module)
        self._module = module  # while an instance of it lives, it is there for others too
        self._engine, self._watchdog, self._limits = engine, watchdog, limits
        self._limit_ns = limits.max_execution_ms * 1_000_000
        self._max_fuel = limits.max_fuel
        self._max_output = limits.max_output_bytes
        self._full_tank = number(limits.max_fuel + limits.max_fuel // _FUEL_SLACK)
        slots = engine.slots
        self._words, self._arguments = slots.words, slots.arguments
        self._trap_at, self._fuel_at = slots.trap, slots.fuel
        self._capacity, self._in_buffer = _NO_BUFFER, 0
        self._size, self._memory = 0, _NO_MEMORY
        self._spent = self._filled = self._fuel = self.used_ns = 0
        self.turn = HostTurn(log)
        self._turn = self.turn if linked.has_imports else None
        self._store: wasmtime.Store | None = wasmtime.Store(engine.wasmtime)
        self._context_at = _address_of(self._store._context())  # noqa: SLF001 # the C API takes nothing else
        self._context = address(self._context_at)
        engine.host.turns[self._context_at] = self.turn
        try:
            self._start(self._store, linked, state)
        except BaseException:
            self.close()
            raise

    @property
    def fuel_used(self) -> int:
        """Fuel that the guest has used in its life; a call that trapped counts as a whole budget."""
        return self._spent + self._filled - self._fuel

    @property
    def memory_bytes(self) -> int:
        """The length of the guest's memory in bytes, as last looked at."""
        return self._size

    def handle(self, content: bytes, now_ns: int | None = None) -> bytes | None:
        """Let the guest handle one message; returns its response, or None when it has none.

        now_ns: the monotonic clock, from a caller who has just read it; the deadline counts from then. Less `used_ns`
        when the sandbox was made for this message.

        Raises Trap (close the sandbox), GuestError (it goes on as before), SandboxClosed.
        """
        size = len(content)
        if size > self._capacity:
            self.used_ns = 0 if now_ns is None else monotonic_ns() - now_ns
            self._widen_in_buffer(size)
            self._memory[self._in_buffer : self._in_buffer + size] = content  # new pages take the host a while
            now_ns = monotonic_ns() - self.used_ns
            pointer = self._in_buffer
        else:
            pointer = self._in_buffer
            self._memory[pointer : pointer + size] = content
        if self._epoch != self._engine.epoch:
            self._renew_deadline()
        if self._turn is not None:
            self._turn.renew()
        words, watchdog, context = self._words, self._watchdog, self._context
        words[FIRST] = pointer
        words[SECOND] = size
        if watchdog.resting:
            watchdog.watch()
        watchdog.deadline_ns = (monotonic_ns() if now_ns is None else now_ns) + self._limit_ns
        error = _call_guest(context, self._handle, self._arguments, TWO, self._trap_at)
        watchdog.deadline_ns = 0
        if error is not None or words[TRAP]:
            raise self._trap(error)
        result = words[FIRST]
        _get_fuel(context, self._fuel_at)
        self._fuel = left = words[FUEL]
        if left < self._max_fuel:
            self._refuel()
        if result <= 0:
            if result == 0:
                return None
            raise GuestError(result)
        pointer = result >> 32
        size = result & _U32
        end = pointer + size
        if size > self._max_output or end > self._size:
            self._check_output(pointer, size)
        return self._memory[pointer:end].tobytes()

    def close(self) -> None:
        """Give the memory back; again is fine."""
        store, self._store = self._store, None
        self._capacity = _NO_BUFFER
        self._memory = _NO_MEMORY
        if store is not None:
            self._engine.host.turns.pop(self._context_at, None)
            store.close()

    def __del__(self) -> None:
        if hasattr(self, "_context"):
            self.close()

    def _start(self, store: wasmtime.Store, linked: LinkedModule, state: bytes) -> None:
        limits = self._limits
        store.set_limits(limits.max_memory_bytes, MAX_TABLE_ELEMENTS, 1, MAX_TABLES, 1)
        self._refuel()
        self._renew_deadline()
        instance = self._instantiate(store, linked)
        self._exports = exports = Exports(store, instance)
        self._handle, self._alloc = exports.function(b"handle_message"), exports.function(b"caxton_alloc")
        self._memory_at = exports.memory()
        self._look_at_memory()
        if linked.has_init:
            self._initialize(exports.function(b"caxton_init"), state)
        if self._capacity == _NO_BUFFER:
            self._widen_in_buffer(0)

    def _initialize(self, init: Any, state: bytes) -> None:
        """Call caxton_init with the state in the in buffer; without a state, with (0, 0) and before anything else."""
        size = len(state)
        if size:
            self._widen_in_buffer(size)
            self._memory[self._in_buffer : self._in_buffer + size] = state
        answer = self._enter(init, TWO, self._in_buffer, size)
        self._look_at_memory()
        if answer:
            given = f"given its state of {size} bytes" if size else "with no state"
            raise Trap(TrapReason.INSTANTIATION, f"caxton_init answered {answer}, {given}; 0 means ready")

    def _instantiate(self, store: wasmtime.Store, linked: LinkedModule) -> wasmtime.Instance:
        self._watchdog.watch()
        self._watchdog.deadline_ns = monotonic_ns() + self._limit_ns
        computed_ns = thread_time_ns()
        try:
            instance = linked.instantiate(store, self._limits)
        except Trap as trap:
            self._charge()
            raise (self.turn.refusal or trap) from None
        finally:
            self._watchdog.deadline_ns = 0
            self.used_ns += thread_time_ns() - computed_ns
        self._account()
        return instance

    def _enter(self, function: Any, slots: Any, first: int, second: int = 0) -> int:
        """Call a function of the guest that returns an i32, under what is left of a turn; returns it unsigned."""
        if self._epoch != self._engine.epoch:
            self._renew_deadline()
        self.turn.renew()
        words, watchdog = self._words, self._watchdog
        words[FIRST] = first
        words[SECOND] = second
        watchdog.watch()
        watchdog.deadline_ns = monotonic_ns() + self._limit_ns - self.used_ns
        computed_ns = thread_time_ns()
        error = _call_guest(self._context, function, self._arguments, slots, self._trap_at)
        watchdog.deadline_ns = 0
        self.used_ns += thread_time_ns() - computed_ns
        if error is not None or words[TRAP]:
            raise self._trap(error)
        result = words[FIRST] & _U32
        self._account()
        return result

    def _account(self) -> None:
        _get_fuel(self._context, self._fuel_at)
        self._fuel = self._words[FUEL]
        if self._fuel < self._max_fuel:
            self._refuel()

    def _refuel(self) -> None:
        self._spent += self._filled - self._fuel
        self._filled = self._fuel = self._max_fuel + self._max_fuel // _FUEL_SLACK
        _set_fuel(self._context, self._full_tank)

    def _renew_deadline(self) -> None:
        """Let the next interrupt, and none before, be this guest's."""
        self._epoch = self._engine.epoch
        _set_epoch_deadline(self._context, ONE)

    def _look_at_memory(self) -> None:
        """See how long the memory is by now. Its base never moves: the engine reserves for the largest limit."""
        self._size = size = _memory_length(self._context, self._memory_at)
        base = _memory_address(self._context, self._memory_at)
        self._memory = memoryview((ctypes.c_ubyte * size).from_address(base)).cast("B") if size else _NO_MEMORY

    def _widen_in_buffer(self, size: int) -> None:
        """Ask the guest for an in buffer of `size` bytes or more; checked before anything is written to it."""
        if self._store is None:
            raise SandboxClosed("this sandbox was closed")
        most = max(size, self._limits.max_message_bytes + _ENVELOPE)
        wanted = max(LEAST_IN_BUFFER, min(1 << (size - 1).bit_length() if size else 0, most))
        pointer = self._enter(self._alloc, ONE, wanted)
        self._look_at_memory()
        if pointer == 0:
            detail = f"caxton_alloc({wanted}) answered 0: it has no room"
            raise Trap(TrapReason.MEMORY_REFUSED, detail, self._size + wanted)
        if pointer + wanted > self._size:
            detail = f"caxton_alloc({wanted}) answered {pointer}, in a memory of {self._size}"
            raise Trap(TrapReason.BAD_POINTER, detail)
        self._in_buffer, self._capacity = pointer, wanted

    def _check_output(self, pointer: int, size: int) -> None:
        """Raise Trap unless the out buffer is within the limit and the memory, which may have grown."""
        if size > self._max_output:
            detail = f"a response of {size} bytes, and the limit is {self._max_output}"
            raise Trap(TrapReason.OUTPUT_TOO_LARGE, detail, size)
        self._look_at_memory()
        if pointer + size > self._size:
            detail = f"handle_message answered {size} bytes at {pointer}, in a memory of {self._size}"
            raise Trap(TrapReason.BAD_POINTER, detail)

    def _trap(self, error: int | None) -> Trap:
        """Return why the raw call failed, and delete what wasmtime left of it."""
        self._charge()
        trap, self._words[TRAP] = self._words[TRAP], 0
        code, message = take_trap(trap) if trap else (None, take_error(error or 0))
        self._look_at_memory()
        return self.turn.refusal or stopped(code, message, self._size, self._limits)

    def _charge(self) -> None:
        """Charge a whole budget: after a trap the fuel that is left is not to be trusted."""
        self._spent += self._filled - self._fuel + self._max_fuel
        self._filled = self._fuel = 0


def _address_of(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0
