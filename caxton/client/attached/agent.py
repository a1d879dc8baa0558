"""An agent that this process runs: messages are pulled from its home shard, what became of them is given back.

async with client.attach("recorder", record) as agent:
    await agent.wait()
"""

import asyncio
from collections import Counter, deque
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Protocol, Self, TypeVar

import msgspec

from caxton.acl.order import Order
from caxton.client.attached.program import Program
from caxton.client.attached.runners import Runners
from caxton.client.attached.schedule import Schedule
from caxton.client.routes.handled_now import Given
from caxton.client.routes.tracing import attach_here
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    AgentTakenOver,
    AlreadyAttached,
    CaxtonError,
    ConfigurationError,
    LeaseEnded,
    NetworkError,
    ResourceExhausted,
    RuntimeNotFound,
    ShardUnavailable,
    Timeout,
    from_fields,
)
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable
from caxton.wire.calls import (
    AgentView,
    Attach,
    Deliveries,
    Detach,
    Done,
    Ended,
    Exchange,
    Request,
)
from caxton.wire.delivery import AskSeal, Sealed

A = TypeVar("A")

CALL_TIMEOUT_S = 10.0
# How long the shard may keep a question while it has no message.
WAIT_MS = 5_000
# How long what a shard gives may take until it is here, before nobody waits for it any more.
ON_ITS_WAY_S = 1.0
DETACH_TIMEOUT_S = 3.0
# How long the first message of a handler waits to be known for what it follows from; after that it is a root.
SEAL_TIMEOUT_S = 2.0
# How long a cancelled attach tries to take back what it may have asked for.
TAKE_BACK_S = 1.0
# How long a block that ends waits for the turn that runs, when it is not said.
DRAIN_S = 10.0
# Between two tries to attach again: doubled each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
# Exchanges in a row that a shard refuses, though it lets us attach: then something is wrong with us.
MOST_REFUSED = 5
# Refusals of what turns sent that are kept to be looked at.
NOT_SENT_KEPT = 100
# What a worker that ends, restarts or is slow answers with, and a runtime that is away: worth another try.
PASSING = (NetworkError, RuntimeNotFound, ShardUnavailable, Timeout)


class Line(Protocol):
    """What an attached agent needs of the line to a runtime. attached: who has a block already."""

    attached: set[int]

    @property
    def number(self) -> int:
        """The present session's."""

    @property
    def table(self) -> SlotTable:
        """Which shard owns which agent."""

    @property
    def over(self) -> CaxtonError | None:
        """Why nothing can come of anything any more; None while something may."""

    async def call(self, shard: int, request: Request, answer: type[A], timeout_s: float) -> A:
        """Ask a shard's worker."""


class AttachedAgent:
    """Attached inside its `async with` block; survives restarts of its worker, and ends the block with what it cannot.

    agent_id, name: who it is. counts: `handled`, `failed` (its handler raised, or returned what cannot be sent),
    `unconfirmed` (handled, and the worker ended before it said so: they may come again), `attached`, `not_sent`,
    `late` (ended after this program was silent for 30 s, and had lost it).
    not_sent: why messages that turns sent were refused; the newest 100. A block whose agent another program attaches
    with replace=True ends with AgentTakenOver.

    The handler runs in tasks of the block: several calls at a time, as `Client.attach` says. It raises to have the
    message tried again, as the message's options say, and what it raised is in this program's log. At the end of the
    block the calls that run are awaited for `drain_s` seconds, or not at all if the block ends by an error. Then they
    are cancelled: what they were given waits for the next who attaches, or fails if it is volatile; what others have
    ended is given back.
    """

    def __init__(  # noqa: PLR0913 (what `Client.attach` was told; it is the only caller)
        self,
        line: Line,
        agent_id: AgentId,
        request: Attach,
        program: Program,
        *,
        at_once: int,
        concurrency: int,
        order: Order,
        drain_s: float = DRAIN_S,
    ) -> None:
        self.agent_id = agent_id
        self.name = request.name
        self.counts: Counter[str] = program.counts
        self.not_sent: deque[CaxtonError] = deque(maxlen=NOT_SENT_KEPT)
        self._line = line
        self._request = request
        self._program = program
        self._at_once = at_once
        self._concurrency = concurrency
        self._order = order
        self._schedule = Schedule(order, concurrency)
        self._drain_s = drain_s
        self._drain: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        # Of the serving: the calls that run, the question that is open, whether an exchange ended it, why it failed.
        self._question: asyncio.Task[None] | None = None
        self._is_superseded = False
        self._problem: CaxtonError | None = None
        self._changed = asyncio.Event()
        self._runners = Runners(self._schedule, program, self._changed, self._ask_seal)
        self._is_leaving = self._wants_seals = False
        # After a loss calls are not to go on: the state may be another one, or others of a group have the messages.
        self._begins_anew = program.keeps_state or request.group is not None
        self._pause_s, self._refused = FIRST_PAUSE_S, 0

    @property
    def is_detached(self) -> bool:
        """True before the block and after it, and when the runtime no longer gives this agent its messages."""
        return self._task is None or self._ended.is_set()

    async def wait(self) -> None:
        """Wait until the agent is detached."""
        await self._ended.wait()

    async def __aenter__(self) -> Self:
        """Attach; raises why the runtime refuses it, Timeout and NetworkError.

        AlreadyAttached also when another block of this client has it: each would take the other's messages
        away, before either came to give one back.
        """
        if self._task is not None:
            raise ConfigurationError("attached agent", "it was entered before", "attach again for another block")
        if int(self.agent_id) in self._line.attached:
            raise AlreadyAttached(self.name, "this client has attached it already")
        self._line.attached.add(int(self.agent_id))
        try:
            await self._call(self._request, AgentView, CALL_TIMEOUT_S)
            self.counts["attached"] += 1
            await self._group.__aenter__()
        except BaseException as error:
            try:
                if not isinstance(error, CaxtonError) or isinstance(error, Timeout):
                    await self._take_back()
            finally:
                self._line.attached.discard(int(self.agent_id))
            raise
        self._task = self._group.create_task(self._serve())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(0.0 if error is not None else self._drain_s)
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            # One error, not a group: the block's own, or what detached the agent.
            raise (
                group.exceptions[0] if error is None or isinstance(error, asyncio.CancelledError) else error
            ) from None
        finally:
            if self._drain is not None:
                self._drain.cancel()
            self._ended.set()
            try:
                with suppress(CaxtonError):
                    await self._call(Detach(int(self.agent_id)), Done, DETACH_TIMEOUT_S)
            finally:
                self._line.attached.discard(int(self.agent_id))

    def _leave(self, drain_s: float) -> None:
        """Let the serving end: after the calls that run, cancelled if they take longer; an open question is dropped."""
        self._is_leaving = True
        self._schedule.leave()
        self._changed.set()
        if self._task is None:
            return
        if drain_s and self._schedule.is_busy:
            self._drain = asyncio.get_running_loop().call_later(drain_s, self._task.cancel)
        else:
            self._task.cancel()

    async def _serve(self) -> None:
        task = asyncio.current_task()
        attach_here()
        self._runners.context = copy_context()
        try:
            async with self._runners.tasks:
                try:
                    await self._exchange_for_ever()
                finally:
                    self._program.is_over = True
                    self._schedule.leave()
                    self._drop_question()
        except asyncio.CancelledError:
            if not self._is_leaving:
                raise
            while task is not None and task.cancelling():
                task.uncancel()  # the last word is still to be said
            await self._say_last_word()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._ended.set()

    async def _exchange_for_ever(self) -> None:
        """Ask, and give back, until the block ends; attach again when the worker is another one."""
        while not self._is_leaving or self._schedule.is_busy:
            self._changed.clear()
            try:
                await self._exchange_once()
            except CaxtonError as error:
                self._refused = 0 if isinstance(error, PASSING) else self._refused + 1
                if self._line.over is not None or self._refused >= MOST_REFUSED or isinstance(error, AgentTakenOver):
                    raise
                await self._lost()

    async def _exchange_once(self) -> None:
        """Give back what there is, or else have a question open and wait for what comes first."""
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem
        if self._runners.is_due:  # what it ends at once goes back first, all together
            await self._changed.wait()
            return
        if self._schedule.has_news:
            await self._give_back()
            return
        if self._question is None:
            self._is_superseded = False
            self._question = self._runners.tasks.create_task(self._ask())
        await self._changed.wait()

    async def _lost(self) -> None:
        """Go on after an exchange that failed: it may be committed, or not, and then all of it comes again."""
        self._drop_question()
        self.counts["unconfirmed"] += self._schedule.lose()
        if self._begins_anew:
            await self._forget_calls()
        if not self._is_leaving or self._schedule.is_busy:
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            await self._attach_again(is_last=self._refused == MOST_REFUSED - 1)

    async def _forget_calls(self) -> None:
        """Let nothing that was done count: it may not be committed, and then the state is that of before."""
        await self._runners.cancel()
        self._program.state = None
        self._schedule = self._runners.schedule = Schedule(self._order, self._concurrency)

    def _drop_question(self) -> None:
        self._problem = None
        if self._question is not None:
            self._question.cancel()
            self._question = None

    async def _give_back(self) -> None:
        self._is_superseded = True
        ended, returned = self._schedule.collect()
        timeout_s = DETACH_TIMEOUT_S if self._is_leaving else CALL_TIMEOUT_S
        exchange = self._exchange(ended, returned, 0, timeout_s)
        session = self._line.number
        result = await self._call(exchange, Deliveries, timeout_s)
        self._schedule.confirmed()
        self._heard(result, session)

    async def _ask(self) -> None:
        """Ask for messages; an exchange that gives something back ends the question, with none."""
        timeout_s = WAIT_MS / 1_000 + CALL_TIMEOUT_S
        exchange = self._exchange([], [], WAIT_MS, timeout_s)
        session = self._line.number
        try:
            result = await self._call(exchange, Deliveries, timeout_s)
            self._heard(result, session)
            if not (result.deliveries or self._is_superseded):
                self._schedule.nothing_waits()
        except CaxtonError as error:
            self._problem = error
        self._question = None
        self._changed.set()

    def _exchange(self, ended: list[Ended], returned: list[int], wait_ms: int, timeout_s: float) -> Exchange:
        wants_state = self._program.keeps_state and self._program.state is None
        return Exchange(
            int(self.agent_id),
            ended,
            0 if self._is_leaving else self._at_once,
            wait_ms,
            self._schedule.kept(),
            returned,
            self._schedule.seen,
            self._concurrency,
            self._order,
            wants_state,
            self._wants_seals,
            int(1_000 * (asyncio.get_running_loop().time() + timeout_s - ON_ITS_WAY_S)),
        )

    async def _ask_seal(self, given: Given) -> bytes:
        """Return by what is known that what is sent now follows from a message; empty when that is not to be had.

        From the first time on seals come with the messages.
        """
        self._wants_seals = True
        with suppress(CaxtonError):
            if given.number:
                return (await self._call(AskSeal(int(self.agent_id), given.number), Sealed, SEAL_TIMEOUT_S)).seal
        return b""

    def _heard(self, result: Deliveries, session: int) -> None:
        self._pause_s, self._refused = FIRST_PAUSE_S, 0
        unkept: CaxtonError | None = None
        for refusal in result.not_sent:
            error = from_fields(refusal.error, refusal.fields)
            unkept = error if isinstance(error, LeaseEnded | ResourceExhausted) else unkept
            self.counts["late" if isinstance(error, LeaseEnded) else "not_sent"] += 1
            self.not_sent.append(error)
        if unkept is not None and self._begins_anew:
            raise unkept  # the state here is not what was committed, or others have what runs: as after a loss
        if self._program.keeps_state and self._program.state is None:
            self._program.state = result.state
        self._schedule.arrived(result.deliveries, result.last, result.before, session)
        self._runners.start()

    async def _say_last_word(self) -> None:
        """Give back what has ended; the rest goes back when the agent is detached."""
        with suppress(CaxtonError):
            while self._schedule.has_news:
                await self._give_back()

    async def _attach_again(self, *, is_last: bool) -> None:
        """Attach at the shard's next worker; raises what will not pass: that it was removed, stopped, or taken.

        Who has it may be this client's last session, which its shard takes for alive for a moment; `is_last`: no more.
        """
        request = msgspec.structs.replace(self._request, again=True, replace=False)
        try:
            await self._call(request, AgentView, CALL_TIMEOUT_S)
            self.counts["attached"] += 1
        except AgentNotFound:
            hint = "it was removed while it was attached; attach it in a new block to register it anew"
            raise AgentNotFound(self.name).suggesting(hint) from None
        except AlreadyAttached:
            if is_last:
                raise
        except PASSING:
            pass

    async def _take_back(self) -> None:
        """Detach what may have been attached by a call whose answer nobody waited for.

        The call may still be under way to the file, and then nothing is attached yet.
        """
        pause_s = FIRST_PAUSE_S
        with suppress(TimeoutError, *PASSING):
            async with asyncio.timeout(TAKE_BACK_S):
                while True:
                    with suppress(AgentNotFound, AgentNotRunning):
                        await self._call(Detach(int(self.agent_id)), Done, TAKE_BACK_S)
                        return
                    await asyncio.sleep(pause_s)
                    pause_s *= 2

    async def _call(self, request: Request, answer: type[A], timeout_s: float) -> A:
        return await self._line.call(self._line.table.shard_of(self.agent_id), request, answer, timeout_s)
