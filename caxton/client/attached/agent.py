"""An agent that this process runs: messages are pulled from its home shard, what became of them is given back.

async with client.attach("recorder", record) as agent:
    await agent.wait()
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import msgspec

from caxton.client.attached.turns import (
    BatchHandler,
    EachHandler,
    Said,
    delivered,
    each_said,
    ended,
    failed,
    size_of,
)
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    AlreadyAttached,
    CaxtonError,
    ConfigurationError,
    MessageTooLarge,
    NetworkError,
    RuntimeNotFound,
    ShardUnavailable,
    Timeout,
    ValidationError,
    from_fields,
)
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable
from caxton.printable import shown
from caxton.wire.calls import (
    FULL_DELIVERIES_BYTES,
    AgentView,
    Attach,
    Deliveries,
    Delivery,
    Detach,
    Done,
    Ended,
    Exchange,
    Request,
)

A = TypeVar("A")

CALL_TIMEOUT_S = 10.0
# How long the shard may keep a question while it has no message.
WAIT_MS = 5_000
DETACH_TIMEOUT_S = 3.0
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

_log = logging.getLogger("caxton.client")
_CUT_SHORT = object()


class Line(Protocol):
    """What an attached agent needs of the line to a runtime. attached: who has a block already."""

    attached: set[int]

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
    `unconfirmed` (handled, and the worker ended before it said so: they may come again), `attached`, `not_sent`.
    not_sent: why messages that turns sent were refused; the newest 100.

    The handler runs in the task group of the block: one call at a time. It raises to have the message tried again,
    as the message's options say, and what it raised is in this program's log. At the end of the block the call that
    runs is awaited for `drain_s` seconds, or not at all if the block ends by an error. Then it is cancelled: what it
    was given waits for the next who attaches, or fails if it is volatile; what others have ended is given back.
    """

    def __init__(
        self,
        line: Line,
        agent_id: AgentId,
        request: Attach,
        handler: EachHandler | BatchHandler,
        at_once: int,
        *,
        batch: bool,
        drain_s: float = DRAIN_S,
    ) -> None:
        self.agent_id = agent_id
        self.name = request.name
        self.counts: Counter[str] = Counter()
        self.not_sent: deque[CaxtonError] = deque(maxlen=NOT_SENT_KEPT)
        self._line = line
        self._request = request
        self._handler: Any = handler
        self._at_once = at_once
        self._batch = batch
        self._drain_s = drain_s
        self._drain: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        # No handler runs, and nothing waits to be given back that is not on its way.
        self._is_idle = True
        self._is_leaving = False

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
        """Let the serving end: after the turn that runs, cancelled if it takes longer; an open question is dropped."""
        self._is_leaving = True
        if self._task is None:
            return
        if self._is_idle or not drain_s:
            self._task.cancel()
        else:
            self._drain = asyncio.get_running_loop().call_later(drain_s, self._task.cancel)

    async def _serve(self) -> None:
        try:
            await self._pull()
        except asyncio.CancelledError:
            if not self._is_leaving:
                raise
        finally:
            self._ended.set()

    async def _pull(self) -> None:
        """Ask, handle, give back, until the block ends; attach again when the worker is another one."""
        ends: list[Ended] = []
        pause_s, refused = FIRST_PAUSE_S, 0
        while not self._is_leaving or ends:
            try:
                deliveries = await self._exchange(ends)
            except CaxtonError as error:
                refused = 0 if isinstance(error, PASSING) else refused + 1
                if self._line.over is not None or refused >= MOST_REFUSED:
                    raise
                # Perhaps they are committed, perhaps not: then they come again. Their numbers mean nothing any more.
                self.counts["unconfirmed"] += len(ends)
                ends = []
                if not self._is_leaving:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    await self._attach_again(is_last=refused == MOST_REFUSED - 1)
                continue
            pause_s, refused = FIRST_PAUSE_S, 0
            ends = [] if self._is_leaving else await self._handle(deliveries)

    async def _exchange(self, ends: list[Ended]) -> list[Delivery]:
        """Give back what has ended and return what is to be handled now: nothing, for the last word."""
        most, wait_ms = (0, 0) if self._is_leaving else (self._at_once, WAIT_MS)
        exchange = Exchange(int(self.agent_id), ends, most, wait_ms)
        timeout_s = DETACH_TIMEOUT_S if self._is_leaving else wait_ms / 1_000 + CALL_TIMEOUT_S
        result = await self._call(exchange, Deliveries, timeout_s)
        for refusal in result.not_sent:
            self.counts["not_sent"] += 1
            self.not_sent.append(from_fields(refusal.error, refusal.fields))
        return result.deliveries

    async def _handle(self, deliveries: list[Delivery]) -> list[Ended]:
        if not deliveries:
            return []
        self._is_idle = False
        ends = await (self._handle_all(deliveries) if self._batch else self._handle_each(deliveries))
        self._is_idle = not self._is_leaving  # the last word is waited for
        self.counts["failed"] += sum(end.error is not None for end in ends)
        self.counts["handled"] += sum(end.error is None for end in ends)
        return ends

    async def _handle_each(self, deliveries: list[Delivery]) -> list[Ended]:
        """Handle one after the other; those that are not reached, when much was sent, are given again."""
        ends: list[Ended] = []
        size = 0
        for delivery in deliveries:
            if size >= FULL_DELIVERIES_BYTES or self._is_leaving:
                break
            said = await self._said(delivered(delivery))
            if said is _CUT_SHORT:
                break
            end = self._end(delivery, said)
            size += size_of(end)
            ends.append(end)
        return ends

    async def _handle_all(self, deliveries: list[Delivery]) -> list[Ended]:
        """Handle them with one call. An error of it is the error of each."""
        said = await self._said([delivered(delivery) for delivery in deliveries])
        if said is _CUT_SHORT:
            return []
        each: Sequence[Any] = [said] * len(deliveries)
        if not isinstance(said, BaseException):
            try:
                each = each_said(said, len(deliveries))
            except ValidationError as error:
                self._log_failure(error)
                each = [error] * len(deliveries)
        ends: list[Ended] = []
        size = 0
        for delivery, what in zip(deliveries, each, strict=True):
            end = self._end(delivery, what)
            if size and size + size_of(end) > FULL_DELIVERIES_BYTES:
                end = failed(delivery, MessageTooLarge.of(size + size_of(end), FULL_DELIVERIES_BYTES, "batch"))
            size += size_of(end)
            ends.append(end)
        return ends

    async def _said(self, given: Any) -> Any:
        """Call the handler; returns what it returned or raised, _CUT_SHORT when the block ended first.

        What it waited for may be cancelled by somebody else: that is an error of the handler like any other. One that
        is no coroutine function ends the block, since it would fail on every message.
        """
        task = asyncio.current_task()
        try:
            said = self._handler(given)
            if hasattr(said, "__await__"):  # `isawaitable` takes longer, and here are all messages
                return await said
        except asyncio.CancelledError as error:
            if task is not None and task.cancelling():
                if not self._is_leaving:
                    raise
                return _CUT_SHORT
            self._log_failure(error)
            return error
        except Exception as error:  # noqa: BLE001 (whatever a handler raises is the end of its turn)
            self._log_failure(error)
            return error
        finally:
            while self._is_leaving and task is not None and task.cancelling():
                task.uncancel()  # the last word is still to be said
        raise ValidationError("handler", f"it returned {shown(said)} and nothing to await; write it with `async def`")

    def _end(self, delivery: Delivery, said: "Said | BaseException") -> Ended:
        """Return the end of a turn whose handler returned this, or raised it."""
        if isinstance(said, BaseException):
            return failed(delivery, said)
        try:
            return ended(delivery, said)
        except ValidationError as error:
            self._log_failure(error)
            return failed(delivery, error)

    def _log_failure(self, error: BaseException) -> None:
        _log.error("the handler of agent %r failed", self.name, exc_info=error)

    async def _attach_again(self, *, is_last: bool) -> None:
        """Attach at the shard's next worker; raises what will not pass: that it was removed, stopped, or taken.

        Who has it may be this client's last session, which its shard takes for alive for a moment; `is_last`: no more.
        """
        request = msgspec.structs.replace(self._request, again=True)
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
