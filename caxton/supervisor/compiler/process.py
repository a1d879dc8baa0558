"""One life of the compiler process: ready, one module, end."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Sequence
from typing import BinaryIO, cast

from caxton.errors import InvalidMessageFormat, InvalidModule
from caxton.supervisor.workforce.child_process import Exit
from caxton.wire.compile_job import (
    COMPILE_JOB,
    COMPILE_WALL_S,
    COMPILER_REPLY,
    MAX_REPLY_BYTES,
    Compiled,
    CompileJob,
    CompileRefused,
    CompilerReady,
    beyond_limits,
    read_frame,
    write_frame,
)

# -P: else a folder `workers/` in the current directory would be run instead.
COMPILER_COMMAND = (sys.executable, "-P", "-m", "workers.compiler")
START_TIMEOUT_S = 30.0
# One that has closed its output is gone in a moment, or is killed.
_END_TIMEOUT_S = 1.0

Reply = CompilerReady | Compiled | CompileRefused


class CompilerProcess:
    """Made in the main thread only: children are told to die with the thread that spawned them. Raises OSError.

    Its pipes are read and written on other threads, which end with it. Whoever makes one ends it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        # A process group of its own: Ctrl-C is for the supervisor.
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*command], stdin=pipe, stdout=pipe, process_group=0)
        self._jobs = cast("BinaryIO", self._process.stdin)
        self._replies = cast("BinaryIO", self._process.stdout)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once it has ended."""
        return self._process.poll() is None

    async def ready(self) -> str | None:
        """Return its engine's id when it is warm; None when it ended, babbled or took longer than START_TIMEOUT_S."""
        with contextlib.suppress(TimeoutError, InvalidMessageFormat):
            async with asyncio.timeout(START_TIMEOUT_S):
                reply = await asyncio.to_thread(self._read)
                return reply.engine_id if isinstance(reply, CompilerReady) else None
        return None

    async def compile(self, job: CompileJob) -> bytes:
        """Return the artifact of its one module; raises the error that the compiler named, or InvalidModule."""
        try:
            async with asyncio.timeout(COMPILE_WALL_S):
                reply = await asyncio.to_thread(self._converse, job)
                status = 0 if reply is not None else await asyncio.to_thread(self._status)
        except TimeoutError:
            raise beyond_limits(job.agent, None) from None
        except InvalidMessageFormat:
            raise InvalidModule(job.agent, "its compiler spoke out of turn") from None
        if isinstance(reply, Compiled):
            return reply.artifact
        if isinstance(reply, CompileRefused):
            raise reply.to_error()
        raise beyond_limits(job.agent, status)

    def end(self) -> Exit:
        """Kill it, unless it has ended, and reap it; threads at its pipes end by that. Ending twice is fine."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._jobs, self._replies):
            with contextlib.suppress(OSError):  # what was not written any more is not missed
                pipe.close()
        return Exit(status)

    def _converse(self, job: CompileJob) -> Reply | None:
        # One that dies in the middle of this has an exit code that says why.
        with contextlib.suppress(OSError, ValueError):
            write_frame(self._jobs, COMPILE_JOB.encode(job))
        return self._read()

    def _read(self) -> Reply | None:
        frame = read_frame(self._replies, MAX_REPLY_BYTES)
        return None if frame is None else COMPILER_REPLY.decode(frame)

    def _status(self) -> int:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_TIMEOUT_S)
        self._process.kill()
        return self._process.wait()
