"""One life of the compiler process: ready, one module, end."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Sequence

from caxton.errors import CaxtonError, InvalidModule
from caxton.supervisor.worker_process import Exit
from caxton.wire.compile_job import (
    COMPILE_JOB,
    COMPILE_WALL_S,
    COMPILER_REPLY,
    HEADER_BYTES,
    MAX_REPLY_BYTES,
    Compiled,
    CompileJob,
    CompileRefused,
    CompilerReady,
    beyond_limits,
    header_of,
    length_in,
)

# -P: else a folder `workers/` in the current directory would be run instead.
COMPILER_COMMAND = (sys.executable, "-P", "-m", "workers.compiler")
START_TIMEOUT_S = 10.0
# One that has closed its output, or was killed, is gone in a moment.
_END_TIMEOUT_S = 1.0


class CompilerProcess:
    """Whoever spawned it ends it, from the main thread's loop: children die with the thread that spawned them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def spawn(cls, command: Sequence[str]) -> "CompilerProcess":
        """Start one; raises OSError when that fails."""
        # A process group of its own: Ctrl-C is for the supervisor.
        pipe = subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, process_group=0))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once it is known to have ended."""
        return self._process.returncode is None

    async def ready(self) -> str | None:
        """Return its engine's id when it is warm; None when it ended or took longer than START_TIMEOUT_S."""
        with contextlib.suppress(TimeoutError, CaxtonError):
            async with asyncio.timeout(START_TIMEOUT_S):
                reply = await self._reply()
                return reply.engine_id if isinstance(reply, CompilerReady) else None
        return None

    async def compile(self, job: CompileJob) -> bytes:
        """Return the artifact of its one module; raises the error that the compiler named, or InvalidModule."""
        try:
            async with asyncio.timeout(COMPILE_WALL_S):
                await self._send(job)
                reply = await self._reply()
        except TimeoutError:
            raise beyond_limits(job.agent, None) from None
        if isinstance(reply, Compiled):
            return reply.artifact
        if isinstance(reply, CompileRefused):
            raise reply.to_error()
        if reply is None:
            raise beyond_limits(job.agent, await self._status())
        raise InvalidModule(job.agent, "its compiler spoke out of turn")

    async def end(self) -> Exit:
        """Kill it, unless it has ended, and reap it. Ending twice is fine."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return Exit(await self._process.wait())

    async def _send(self, job: CompileJob) -> None:
        pipe = self._process.stdin
        frame = COMPILE_JOB.encode(job)
        if pipe is not None:
            # One that dies in the middle of this has an exit code that says why.
            with contextlib.suppress(ConnectionError):
                pipe.write(header_of(frame))
                pipe.write(frame)
                await pipe.drain()

    async def _reply(self) -> CompilerReady | Compiled | CompileRefused | None:
        pipe = self._process.stdout
        if pipe is None:
            return None
        try:
            length = length_in(await pipe.readexactly(HEADER_BYTES), MAX_REPLY_BYTES)
            return COMPILER_REPLY.decode(await pipe.readexactly(length))
        except asyncio.IncompleteReadError:
            return None

    async def _status(self) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                return await self._process.wait()
        return (await self.end()).status
