"""A client's line to the supervisor: questions go out, answers find who asked."""

import asyncio
from pathlib import Path

from caxton.errors import InvalidMessageFormat, NetworkError, RuntimeNotFound, Timeout, from_fields
from caxton.store.directory_lock import Holder, holder, still_holds
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import CallLine, end_context, new_context
from caxton.wire.calls import Failed
from caxton.wire.codec import SUPERVISOR_ANSWER, SUPERVISOR_CALL
from caxton.wire.supervision import SupervisorCall, SupervisorRequest, SupervisorResult

# How often we look whether the supervisor is still there while we wait for its answer.
_LOOK_PERIOD_S = 0.5
_LINGER_MS = 100


class SupervisorLine:
    """Stays open for many questions. `close` twice is fine. Raises RuntimeNotFound when nobody serves there."""

    def __init__(self, runtime_dir: Path) -> None:
        if holder(runtime_dir) is None:
            raise RuntimeNotFound(str(runtime_dir))
        self._runtime_dir = runtime_dir
        self._waiting: dict[int, asyncio.Future[SupervisorResult]] = {}
        self._asked = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._context = new_context()
        self._line = CallLine(self._context, RuntimeDir(runtime_dir).calls)
        self._line.watch(self._loop, self._take)

    async def ask(self, request: SupervisorRequest, timeout_s: float) -> SupervisorResult:
        """Return the supervisor's answer; raises the error that it answers, Timeout (seconds), NetworkError."""
        if self._closed:
            raise NetworkError("the supervisor", "this line to it was closed")
        self._asked = call_id = self._asked + 1
        future: asyncio.Future[SupervisorResult] = self._loop.create_future()
        self._waiting[call_id] = future
        asked = holder(self._runtime_dir)
        try:
            self._line.send(SUPERVISOR_CALL.encode(SupervisorCall(call_id, request)))
            async with asyncio.timeout(timeout_s):
                result = await self._answer(future, asked)
        except TimeoutError:
            raise Timeout(f"the supervisor in {self._runtime_dir}", timeout_s) from None
        finally:
            del self._waiting[call_id]
        if isinstance(result, Failed):
            raise from_fields(result.error, result.fields)
        return result

    def tell(self, request: SupervisorRequest) -> None:
        """Say something that has no answer; what finds no room, or comes after the loop's end, is dropped."""
        if not self._closed and not self._loop.is_closed():
            self._asked += 1
            self._line.send(SUPERVISOR_CALL.encode(SupervisorCall(self._asked, request)))

    def close(self) -> None:
        """Hang up; who waits for an answer gets NetworkError. What was said last is given a moment to leave."""
        self._closed = True
        if not self._loop.is_closed():  # or nobody waits any more
            self._fail_all(NetworkError("the supervisor", "this line to it was closed"))
        self._line.close(_LINGER_MS)
        end_context(self._context)

    def abandon(self) -> None:
        """In a forked child: take nothing any more. The socket, and the loop that watches it, stay the parent's."""
        self._closed = True

    async def _answer(self, future: asyncio.Future[SupervisorResult], asked: Holder | None) -> SupervisorResult:
        while not future.done():
            await asyncio.wait([future], timeout=_LOOK_PERIOD_S)
            if not future.done() and not still_holds(asked, self._runtime_dir):
                raise NetworkError("the supervisor", "it ended before it answered")
        return future.result()

    def _take(self) -> None:
        while not self._closed and (frame := self._line.receive()) is not None:
            try:
                answer = SUPERVISOR_ANSWER.decode(frame)
            except InvalidMessageFormat as error:
                self._fail_all(NetworkError("the supervisor", f"its answer cannot be read: {error}"))
                return
            future = self._waiting.get(answer.call_id)
            if future is not None and not future.done():
                future.set_result(answer.result)

    def _fail_all(self, error: NetworkError) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
