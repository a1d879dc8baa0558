"""One question to the supervisor, one answer: for commands and whoever needs no session."""

import asyncio
import secrets
from pathlib import Path

from caxton.errors import InvalidMessageFormat, NetworkError, RuntimeNotFound, Timeout, from_fields
from caxton.store.directory_lock import holder
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import CallLine, end_context, new_context
from caxton.wire.codec import SUPERVISOR_ANSWER, SUPERVISOR_CALL
from caxton.wire.control import Failed
from caxton.wire.supervision import SupervisorCall, SupervisorRequest, SupervisorResult

# How often we look whether the supervisor is still there while we wait for its answer.
_LOOK_PERIOD_S = 0.5


def ask(runtime_dir: Path, request: SupervisorRequest, timeout_s: float) -> SupervisorResult:
    """Ask the supervisor of a runtime and return its answer, from code that has no event loop.

    Raises what the supervisor answers as an error; RuntimeNotFound when none serves there, Timeout (seconds) when it
    does not answer, NetworkError when it ends first.
    """
    return asyncio.run(ask_soon(runtime_dir, request, timeout_s))


async def ask_soon(runtime_dir: Path, request: SupervisorRequest, timeout_s: float) -> SupervisorResult:
    """Do what `ask` does, inside an event loop."""
    if holder(runtime_dir) is None:
        raise RuntimeNotFound(str(runtime_dir))
    context = new_context()
    try:
        line = CallLine(context, RuntimeDir(runtime_dir).calls)
        try:
            async with asyncio.timeout(timeout_s):
                return await _converse(line, runtime_dir, request)
        except TimeoutError:
            raise Timeout(f"the supervisor in {runtime_dir}", timeout_s) from None
        finally:
            line.close()
    finally:
        end_context(context)


async def _converse(line: CallLine, runtime_dir: Path, request: SupervisorRequest) -> SupervisorResult:
    call_id = secrets.randbits(62)
    arrived = asyncio.Event()
    line.watch(asyncio.get_running_loop(), arrived.set)
    line.send(SUPERVISOR_CALL.encode(SupervisorCall(call_id, request)))
    while True:
        result = _answer_to(call_id, line)
        if result is not None:
            return result
        arrived.clear()
        try:
            async with asyncio.timeout(_LOOK_PERIOD_S):
                await arrived.wait()
        except TimeoutError:
            if holder(runtime_dir) is None:
                raise NetworkError("the supervisor", "it ended before it answered") from None


def _answer_to(call_id: int, line: CallLine) -> SupervisorResult | None:
    """Take answers until ours comes; raises the error that it is, None when it is not there yet."""
    while (frame := line.receive()) is not None:
        try:
            answer = SUPERVISOR_ANSWER.decode(frame)
        except InvalidMessageFormat:
            raise NetworkError("the supervisor", "its answer cannot be read; is it of another version?") from None
        if answer.call_id != call_id:
            continue
        if isinstance(answer.result, Failed):
            raise from_fields(answer.result.error, answer.result.fields)
        return answer.result
    return None


def pid_of_runtime(runtime_dir: Path) -> int:
    """Return the pid of the supervisor that serves from a directory; raises RuntimeNotFound when none does."""
    pid = holder(runtime_dir)
    if pid is None:
        raise RuntimeNotFound(str(runtime_dir))
    return pid
