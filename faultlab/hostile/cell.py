"""A sandbox for one guest after the other: how far each comes, in a word."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

import caxton.guests
from caxton.acl.envelope import Envelope
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding
from caxton.errors import InvalidMessageFormat, InvalidModule, ResourceLimitExceeded
from caxton.ids import SESSION_BIT, AgentNames, UuidSource
from workers.sandbox import abi
from workers.sandbox.engine import GuestEngine
from workers.sandbox.guest_messages import GuestOutput, to_guest
from workers.sandbox.modules import compile_module
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.traps import GuestError, Trap, TrapReason
from workers.sandbox.watchdog import Watchdog

# How a guest may end; anything else is a fault of ours.
OUTCOMES = {"refused", "error", "silence", "invalid_output", "too_much", "answer", *(r.value for r in TrapReason)}
_AGENT, _CONTENT = 7, b"\x00\x01\x02\x03 hello"


class Cell:
    """Inside a `with`, takes one guest after the other as far as it goes, as a worker does. An echo lives beside them.

    logged: how many lines guests have written.
    """

    def __init__(self) -> None:
        self._engine = GuestEngine()
        self._watchdog = Watchdog(self._engine)
        self._output = GuestOutput(AgentNames(bytes(32)))
        self._ids = UuidSource(0)
        self.logged = 0
        echo = compile_module(self._engine, "echo", Path(caxton.guests.__file__).with_name("echo.wasm").read_bytes())
        self._neighbour = Sandbox(self._engine, echo, Limits(max_execution_ms=10_000), self._watchdog, self._log)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watchdog.stop()
        self._neighbour.close()

    def neighbour_answers(self) -> bool:
        """Tell whether the echo beside them still answers what it is told."""
        return self._neighbour.handle(_CONTENT) == _CONTENT

    def outcome(self, wasm: bytes, limits: Limits, encoding: Encoding) -> str:
        """Return `refused`, the reason of a trap, `error`, `silence`, `invalid_output`, `too_much` or `answer`."""
        try:
            module = compile_module(self._engine, "suspect", wasm)
            abi.check(module, "suspect", limits)
            abi.check_entries(module, "suspect", wasm)
        except InvalidModule as error:
            return "refused" if error.problem.isprintable() else "refused in words that do not print"
        asked = Envelope(bytes(16), 7, SESSION_BIT | 1, _AGENT, _CONTENT, bytes(16), None, None)
        try:
            sandbox = Sandbox(self._engine, module, limits, self._watchdog, self._log)
        except Trap as trap:
            return trap.reason.value
        try:
            said = sandbox.handle(_CONTENT if encoding is Encoding.CONTENT else to_guest(asked))
        except Trap as trap:
            return trap.reason.value
        except GuestError:
            return "error"
        finally:
            sandbox.close()
        if encoding is Encoding.CONTENT:
            return "silence" if said is None else "answer"
        return self._read(said or b"", asked, limits) if said is not None else "silence"

    def turn_ms(self, wasm: bytes, limits: Limits) -> float:
        """Return how long a guest that never ends had, from its start until it was stopped, in milliseconds."""
        module = compile_module(self._engine, "suspect", wasm)
        began_s = time.perf_counter()
        try:
            sandbox = Sandbox(self._engine, module, limits, self._watchdog, self._log)
            try:
                sandbox.handle(_CONTENT)
            finally:
                sandbox.close()
        except Trap:
            return (time.perf_counter() - began_s) * 1_000
        raise AssertionError("it ended by itself")

    def _read(self, said: bytes, asked: Envelope, limits: Limits) -> str:
        """Return what comes of a msgpack agent's output."""
        try:
            sent, _ = self._output.read(said, asked, _AGENT, limits.max_output_messages, self._ids.next, 0)
        except InvalidMessageFormat:
            return "invalid_output"
        except ResourceLimitExceeded:
            return "too_much"
        return "answer" if any(m.receiver == asked.sender for m in sent) else "silence"

    def _log(self, _level: int, _line: str | None) -> None:
        self.logged += 1
