"""The front desk: calls of clients come in, each is answered by a task of its own, so that none waits for another."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from caxton.errors import CaxtonError, ResourceExhausted, StorageError, to_fields
from caxton.supervisor.desk.caller import Caller
from caxton.transport.sockets import Desk
from caxton.transport.zmtp import SMALL_FRAME
from caxton.wire.calls import Failed
from caxton.wire.codec import SUPERVISOR_ANSWER, SUPERVISOR_CALL
from caxton.wire.heads import call_tag
from caxton.wire.supervision import (
    MODULE_CHUNK,
    SupervisorAnswer,
    SupervisorCall,
    SupervisorRequest,
    SupervisorResult,
    UploadModule,
)

# Calls that are being answered at a time; more are refused at once.
MAX_CALLS = 1_024
# Calls taken in one go, so that a flood of them does not hold the loop.
_AT_ONCE, _ENOUGH_BYTES = 64, 1 << 20
MAX_CALL_BYTES = MODULE_CHUNK + SMALL_FRAME
_UPLOAD = UploadModule.__struct_config__.tag

Answering = Callable[[Caller, SupervisorRequest], Awaitable[SupervisorResult | None]]


class FrontDesk:
    """Owns the desk's socket. `answering` gets the caller and its request; what it raises is the answer.

    When it returns None, nobody waits for an answer, and none is sent.

    `tell_unforeseen` is called with errors that are nobody's plan. `dropped` counts, by reason, what was not answered.
    """

    def __init__(
        self,
        desk: Desk,
        answering: Answering,
        tasks: asyncio.TaskGroup,
        tell_unforeseen: Callable[[str], None],
        dropped: Counter[str],
    ) -> None:
        self._desk = desk
        self._answering = answering
        self._tasks = tasks
        self._tell_unforeseen = tell_unforeseen
        self._loop = asyncio.get_running_loop()
        self._under_way: set[asyncio.Task[None]] = set()
        self._closed = False
        self._dropped = dropped
        desk.guard(_may_come, self._count)
        desk.watch(self._loop, self._wake)

    def close(self, linger_ms: int = 0) -> None:
        """Stop answering; what is being answered is given up. Closing twice is fine."""
        self._closed = True
        for task in self._under_way:
            task.cancel()
        self._desk.close(linger_ms)

    def _count(self) -> None:
        self._dropped["calls that do not decode"] += 1

    def _wake(self) -> None:
        taken = 0
        for _ in range(_AT_ONCE):
            received = None if self._closed else self._desk.receive()
            if received is None:
                return
            self._take(*received)
            taken += len(received[1])
            if taken >= _ENOUGH_BYTES:
                break
        self._loop.call_soon(self._wake)

    def _take(self, caller: int, frame: bytes) -> None:
        try:
            call = SUPERVISOR_CALL.decode(frame)
        except CaxtonError:
            self._dropped["calls that do not decode"] += 1
            return
        if len(self._under_way) >= MAX_CALLS:
            full = ResourceExhausted("calls at the desk at once", MAX_CALLS)
            self._say(caller, _encoded(call.call_id, _failed(full)))
            return
        task = self._tasks.create_task(self._answer(caller, call))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, caller: int, call: SupervisorCall) -> None:
        try:
            result = await self._answering(Caller(caller, self._desk.process_of(caller)), call.request)
            if result is None:
                return
            answer = _encoded(call.call_id, result)
        except CaxtonError as error:
            answer = _encoded(call.call_id, _failed(error))
        except OSError as error:
            storage = StorageError(str(error.filename), error.strerror or str(error))
            answer = _encoded(call.call_id, _failed(storage))
        except Exception as error:  # noqa: BLE001 (one call must not end the runtime; it is told loudly)
            self._tell_unforeseen(f"{type(call.request).__name__}: {error!r}")
            answer = _encoded(call.call_id, _failed(CaxtonError()))
        self._say(caller, answer)

    def _say(self, caller: int, answer: bytearray) -> None:
        if self._closed:
            return
        if not self._desk.answer(caller, answer):
            self._dropped["answers whose caller is gone"] += 1
        # The descriptor is edge-triggered: calls that came while we answered are looked for now.
        self._loop.call_soon(self._wake)


def _may_come(frame: bytes, size: int) -> bool:
    """Of large calls, pieces of modules alone may come."""
    tag = call_tag(frame)
    return tag == _UPLOAD or (tag > 0 and size <= SMALL_FRAME)


def _encoded(call_id: int, result: SupervisorResult) -> bytearray:
    return SUPERVISOR_ANSWER.encode(SupervisorAnswer(call_id, result))


def _failed(error: CaxtonError) -> Failed:
    return Failed(type(error).__name__, to_fields(error))
