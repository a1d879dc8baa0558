"""The tasks in which an attached agent's handler is called."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from time import monotonic

from caxton.acl.order import Key
from caxton.client.attached.program import Program
from caxton.client.attached.schedule import Held, Schedule
from caxton.client.routes.handled_now import HANDLED_NOW, Given, HandledNow
from caxton.wire.calls import MAX_DELIVERIES

# So many keys, or seconds, one task has before the loop has its turn.
KEYS_IN_A_ROW, LONGEST_ROW_S = MAX_DELIVERIES, 0.005


class Runners:
    """Runs what a schedule lets run. A task for each key would take longer than most calls do.

    So one task handles key after key, and asks the loop to tell when it is free: then the call waits for something, and
    other tasks go on with what may run beside it. A task ends after a call that left something in its context
    variables, and when it has kept the loop for long.

    tasks: a group that its owner enters, and that ends by what is wrong with the handler. changed: set when something
    has ended, or waits. ask_seal: as `HandledNow` has it. is_due: a task is about to begin. context: what each call
    finds in context variables.
    """

    def __init__(
        self,
        schedule: Schedule,
        program: Program,
        changed: asyncio.Event,
        ask_seal: Callable[[Given], Awaitable[bytes]],
    ) -> None:
        self.schedule = schedule
        self.tasks = asyncio.TaskGroup()
        self.is_due = False
        self._program = program
        self._changed = changed
        self._ask_seal = ask_seal
        self._calls: set[asyncio.Task[None]] = set()
        # The loop will say when it is free.
        self._is_watched = False
        self.context = copy_context()

    def start(self) -> None:
        """Have a task run what may run, if none is about to; nothing when all is over."""
        if not self.is_due and self.schedule.startable and not self._program.is_over:
            self._create()

    async def cancel(self) -> None:
        """Break off all calls, and wait until they have ended."""
        self._program.is_over = True
        for call in self._calls:
            call.cancel()
        if self._calls:
            await asyncio.wait({*self._calls})
        self._program.is_over = self.is_due = False

    def _create(self) -> None:
        self.is_due = True
        call = self.tasks.create_task(self._run(), context=self.context.copy())
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    def _go_on(self) -> None:
        self._is_watched = False
        self._changed.set()
        if not (self.is_due or self._program.is_over):
            for _ in range(min(self.schedule.startable, max(1, self.schedule.running))):
                self._create()

    async def _run(self) -> None:
        self.is_due = False
        until_s = monotonic() + LONGEST_ROW_S
        for _ in range(KEYS_IN_A_ROW):
            key = self.schedule.start()
            if key is None:
                break
            if not self._is_watched:
                self._is_watched = True
                asyncio.get_running_loop().call_soon(self._go_on, context=self.context)
            if not await self._run_key(key) or monotonic() > until_s:
                break
        self._changed.set()
        self.start()

    async def _run_key(self, key: Key) -> bool:
        """Handle what waits of a key, one after the other, or as many as the handler takes at once.

        Returns False when this task is to begin nothing more: a call was cut short, or left something in its context.
        """
        schedule, program, context = self.schedule, self._program, copy_context()
        while some := schedule.begin(key, program.most):
            handled, deliveries = self._handled(some), [held.delivery for held in some]
            before = HANDLED_NOW.set(handled)
            try:
                ends = await program.handle(deliveries)
            finally:
                handled.is_over = True
                HANDLED_NOW.reset(before)
            self._changed.set()
            for held, end in zip(some, ends, strict=False):
                schedule.end(held, end)
            if not ends:
                for held in some:
                    schedule.cut(held)
            if not ends or context != copy_context():
                schedule.put_off(key)
                return False
        return True

    def _handled(self, some: list[Held]) -> HandledNow:
        """Return what a call handles: of several messages the one that is furthest from its root."""
        held = some[0] if len(some) == 1 else max(some, key=_hops)
        return HandledNow(held, held.session, self._ask_seal)


def _hops(held: Held) -> int:
    cause = held.delivery.message.cause
    return 0 if cause is None else cause.hops
