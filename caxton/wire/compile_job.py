"""What the supervisor and a compiler process say to each other over the compiler's standard input and output.

Each frame is its length in four bytes, then a version byte and msgpack. The compiler says `CompilerReady`, takes one
`CompileJob`, answers `Compiled` or `CompileRefused`, and ends. One that ends without an answer went beyond a limit:
`beyond_limits` says which.
"""

import signal
from typing import Any, BinaryIO

import msgspec

from caxton.agents.limits import KIB, MAX_MODULE, MIB, Limits
from caxton.errors import CaxtonError, InvalidMessageFormat, InvalidModule, from_fields, to_fields
from caxton.wire.codec import Codec

HEADER_BYTES = 4
COMPILE_CPU_S = 3
COMPILE_MEMORY_BYTES = 1 << 30
# Processor time on a machine that is shared: three times as long, and then the supervisor kills.
COMPILE_WALL_S = 10
MAX_JOB_BYTES = MAX_MODULE + 64 * KIB
# An artifact is larger than its source, and no larger than what the compiler's memory holds twice.
MAX_REPLY_BYTES = 512 * MIB


class CompilerReady(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """It is warm. `engine_id` names the artifacts that it makes."""

    engine_id: str


class CompileJob(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """A module to compile and to check for the agent that is to be deployed with it."""

    agent: str
    limits: Limits
    wasm: bytes


class Compiled(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """The module speaks the ABI, fits the limits, and compiles to this."""

    artifact: bytes


class CompileRefused(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """The module is refused; `error` and `fields` as in `caxton.errors`."""

    error: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, error: CaxtonError) -> "CompileRefused":
        """Put an error into words that travel."""
        return cls(type(error).__name__, to_fields(error))

    def to_error(self) -> CaxtonError:
        """Return the error again."""
        return from_fields(self.error, self.fields)


COMPILE_JOB: Codec[CompileJob] = Codec(CompileJob, "compile job", largest=MAX_JOB_BYTES)
COMPILER_REPLY: Codec[CompilerReady | Compiled | CompileRefused] = Codec(
    CompilerReady | Compiled | CompileRefused, "compiler's reply", largest=MAX_REPLY_BYTES
)


def header_of(frame: bytes | bytearray) -> bytes:
    """Return the four bytes that go before this frame."""
    return len(frame).to_bytes(HEADER_BYTES, "big")


def length_in(header: bytes, largest: int) -> int:
    """Return how many bytes follow this header; raises InvalidMessageFormat when they are more than `largest`."""
    length = int.from_bytes(header, "big")
    if len(header) != HEADER_BYTES or length > largest:
        raise InvalidMessageFormat("compile frame", f"header {header!r}; at most {largest} bytes may follow")
    return length


def write_frame(stream: BinaryIO, frame: bytes | bytearray) -> None:
    """Write header and frame to a blocking stream."""
    stream.write(header_of(frame))
    stream.write(frame)
    stream.flush()


def read_frame(stream: BinaryIO, largest: int) -> bytes | None:
    """Read one frame from a blocking stream; None when it ended before one was whole."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    length = length_in(header, largest)
    frame = stream.read(length)
    return frame if len(frame) == length else None


def beyond_limits(agent: str, returncode: int | None) -> InvalidModule:
    """Return the error for a compiler that ended without an answer.

    `returncode` as subprocess gives it: the negative number of the signal; None when it was killed for its wall time.
    """
    if returncode is None or returncode == -signal.SIGKILL:
        problem = "its compilation took too long"
    elif returncode == -signal.SIGXCPU:
        problem = f"its compilation took more than {COMPILE_CPU_S} s of processor time"
    elif returncode == -signal.SIGABRT:
        problem = f"its compilation needed more than {COMPILE_MEMORY_BYTES // MIB} MiB of memory"
    else:
        problem = f"its compilation ended the compiler (exit {returncode})"
    return InvalidModule(agent, f"{problem}: make the module smaller, or its functions")
