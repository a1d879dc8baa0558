"""`python -P -m workers.compiler`: compiles one module, under limits, and ends.

It is started before it is needed, so that importing and warming up cost nobody a wait. A module is hostile until it is
compiled: the processor time (3 s) and the address space (1 GiB) of this process are what it can use up. Both end the
process, and the supervisor reads that from its exit code. The supervisor also bounds the wall time, by killing it.
"""

import math
import os
import resource
import sys
import time
from typing import BinaryIO

from caxton.errors import CaxtonError, InvalidModule
from caxton.wire.compile_job import (
    COMPILE_CPU_S,
    COMPILE_JOB,
    COMPILE_MEMORY_BYTES,
    COMPILER_REPLY,
    MAX_JOB_BYTES,
    MAX_REPLY_BYTES,
    Compiled,
    CompileJob,
    CompileRefused,
    CompilerReady,
    read_frame,
    write_frame,
)
from workers.parent import die_with_parent
from workers.sandbox import abi
from workers.sandbox.engine import GuestEngine
from workers.sandbox.modules import compile_module

# The smallest module there is: compiling it once loads what the compiler of the engine needs.
_EMPTY_MODULE = b"\0asm\1\0\0\0"
# The kernel sends SIGXCPU at the soft limit; the hard one, a second later, is for a process that does not end of it.
_GRACE_S = 1


def main() -> int:
    """Serve one job from standard input; returns the exit code: 0 when it was answered, or there was none."""
    die_with_parent()
    # A compile that runs out of memory is expected: no backtrace, which takes longer than the compile did.
    os.environ["RUST_BACKTRACE"] = "0"
    engine = GuestEngine()
    compile_module(engine, "", _EMPTY_MODULE)
    return serve(engine, sys.stdin.buffer, sys.stdout.buffer)


def serve(engine: GuestEngine, jobs: BinaryIO, replies: BinaryIO) -> int:
    """Say that the compiler is ready, take one job, answer it. Limits this process for good."""
    write_frame(replies, COMPILER_REPLY.encode(CompilerReady(engine.engine_id)))
    try:
        frame = read_frame(jobs, MAX_JOB_BYTES)
        if frame is None:
            return 0
        job = COMPILE_JOB.decode(frame)
    except CaxtonError as error:
        write_frame(replies, COMPILER_REPLY.encode(CompileRefused.of(error)))
        return 1
    _limit_this_process()
    write_frame(replies, COMPILER_REPLY.encode(answer(engine, job)))
    return 0


def answer(engine: GuestEngine, job: CompileJob) -> Compiled | CompileRefused:
    """Compile the module and check it against the ABI and the agent's limits."""
    try:
        module = compile_module(engine, job.agent, job.wasm)
        abi.check(module, job.agent, job.limits)
        abi.check_entries(module, job.agent, job.wasm)
        artifact = bytes(module.serialize())
    except CaxtonError as error:
        return CompileRefused.of(error)
    except MemoryError:
        return CompileRefused.of(InvalidModule(job.agent, "it compiles to more than the compiler's memory holds"))
    if len(artifact) > MAX_REPLY_BYTES // 2:
        return CompileRefused.of(InvalidModule(job.agent, f"it compiles to {len(artifact)} bytes, which is too much"))
    return Compiled(artifact)


def _limit_this_process() -> None:
    soft = math.ceil(time.process_time()) + COMPILE_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + _GRACE_S))
    resource.setrlimit(resource.RLIMIT_AS, (COMPILE_MEMORY_BYTES, COMPILE_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
