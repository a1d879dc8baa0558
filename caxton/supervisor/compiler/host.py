"""Keeps one compiler warm, gives it one module, replaces it. Jobs wait in a bounded queue."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from caxton.agents.limits import Limits
from caxton.errors import CaxtonError, ResourceExhausted, Timeout
from caxton.supervisor.compiler.fair_queue import FairQueue
from caxton.supervisor.compiler.process import START_TIMEOUT_S, CompilerProcess
from caxton.supervisor.workforce.restart_policy import FIRST_DELAY_S, LONGEST_DELAY_S
from caxton.wire.compile_job import COMPILE_WALL_S, CompileJob

# Jobs that may wait; each holds its module, up to 64 MiB.
MAX_WAITING = 8
# Everybody before it at the wall limit, and itself.
WAIT_S = float((MAX_WAITING + 2) * COMPILE_WALL_S)


@dataclass(frozen=True)
class _Order:
    job: CompileJob
    done: "asyncio.Future[bytes]"


class CompilerHost:
    """Compiles modules one after the other. `run` does the work, in a task, and ends by being cancelled.

    `tell_death` is called with how a compiler died before it was ready. compiled, refused: modules so far, in
    compile_s seconds in all.
    """

    def __init__(self, command: Sequence[str], tell_death: Callable[[str], None]) -> None:
        self._command = command
        self._tell_death = tell_death
        self._orders: FairQueue[_Order] = FairQueue(MAX_WAITING)
        self._ordered = asyncio.Event()
        self._order: _Order | None = None
        # The first compiler of this run is on its way: as long as none has died, nothing is wrong.
        self.is_starting = True
        self._warm = asyncio.Event()
        self._engine_id = ""
        # The compiler's process id, 0 while there is none.
        self.pid = 0
        self.compiled = 0
        self.refused = 0
        self.compile_s = 0.0

    @property
    def problem(self) -> str | None:
        """What keeps modules from being compiled, if anything does."""
        if self._warm.is_set():
            return None
        return "the compiler starts" if self.is_starting else "no compiler is ready"

    async def engine_id(self) -> str:
        """Return the name of the engine that artifacts are for; raises Timeout when no compiler becomes ready."""
        if not self._engine_id:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._warm.wait()
            except TimeoutError:
                raise Timeout("starting the compiler", START_TIMEOUT_S) from None
        return self._engine_id

    async def compile(self, agent: str, limits: Limits, wasm: bytes, owner: tuple[int, str] = (0, "")) -> bytes:
        """Return the artifact; raises InvalidModule, ResourceExhausted when too many wait, and Timeout.

        owner: the process whose module it is, 0 for the runtime's own, and the principal that it acts for. Owners have
        their turns, and who has fewest modules waiting is refused last.
        """
        order = _Order(CompileJob(agent, limits, wasm), asyncio.get_running_loop().create_future())
        refused = self._orders.put(owner, order)
        if refused is not None and not refused.done.done():
            refused.done.set_exception(ResourceExhausted("modules that wait to be compiled", MAX_WAITING))
        self._ordered.set()
        try:
            async with asyncio.timeout(WAIT_S):
                return await order.done
        except TimeoutError:
            raise Timeout("compiling the module", WAIT_S) from None

    async def run(self) -> None:
        """Serve until cancelled."""
        delay_s = FIRST_DELAY_S
        while True:
            how = await self._one_life()
            if how is None:
                delay_s = FIRST_DELAY_S
                continue
            self._warm.clear()
            self.is_starting = False
            self._tell_death(how)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _one_life(self) -> str | None:
        """Return None when a compiler did its work, or died while it waited for some; else how it died."""
        try:
            compiler = CompilerProcess(self._command)
        except OSError as error:
            return f"not started: {error}"
        self.pid = compiler.pid
        try:
            engine_id = await compiler.ready()
            if engine_id is None:
                return f"not ready, {compiler.end()}"
            self._engine_id = engine_id
            self._warm.set()
            self.is_starting = False
            if self._order is None:
                self._order = await self._next_order()
            if compiler.alive:
                order, self._order = self._order, None
                await self._serve(compiler, order)
            return None
        finally:
            compiler.end()
            self.pid = 0

    async def _next_order(self) -> _Order:
        while (order := self._orders.take()) is None:
            self._ordered.clear()
            await self._ordered.wait()
        return order

    async def _serve(self, compiler: CompilerProcess, order: _Order) -> None:
        if order.done.done():  # nobody waits for it any more
            return
        began_s = time.monotonic()
        try:
            artifact = await compiler.compile(order.job)
        except CaxtonError as error:
            self.refused += 1
            if not order.done.done():
                order.done.set_exception(error)
            return
        finally:
            self.compile_s += time.monotonic() - began_s
        self.compiled += 1
        if not order.done.done():
            order.done.set_result(artifact)
