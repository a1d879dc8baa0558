"""What the supervisor and a compiler say to each other."""

import io
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.limits import Limits
from caxton.errors import InvalidMessageFormat, InvalidModule
from caxton.wire.compile_job import (
    COMPILE_JOB,
    COMPILER_REPLY,
    MAX_JOB_BYTES,
    MAX_REPLY_BYTES,
    Compiled,
    CompileJob,
    CompileRefused,
    CompilerReady,
    beyond_limits,
    header_of,
    length_in,
    read_frame,
    write_frame,
)

JOB = CompileJob("agent", Limits(max_fuel=123_456), b"\0asm")
REFUSED = CompileRefused.of(InvalidModule("agent", "unknown imports", ("env.a", "env.b")))
REPLIES = [
    CompilerReady("00ff"),
    Compiled(b"native"),
    CompileRefused("InvalidModule", {"agent": "a", "names": ["env.a"]}),
]


@pytest.mark.parametrize("reply", REPLIES)
def test_replies_come_out_as_they_went_in(reply):
    """Each reply survives the way through a stream."""
    stream = io.BytesIO()
    write_frame(stream, COMPILER_REPLY.encode(reply))
    stream.seek(0)
    frame = read_frame(stream, 1_000)
    assert frame is not None
    assert COMPILER_REPLY.decode(frame) == reply
    assert read_frame(stream, 1_000) is None


def test_a_job_comes_out_as_it_went_in():
    """A job keeps its agent, its limits and its bytes."""
    assert COMPILE_JOB.decode(COMPILE_JOB.encode(JOB)) == JOB


def test_a_refusal_becomes_its_error_again():
    """The typed error and its names arrive at the supervisor."""
    reply = COMPILER_REPLY.decode(COMPILER_REPLY.encode(REFUSED))
    assert isinstance(reply, CompileRefused)
    error = reply.to_error()
    assert isinstance(error, InvalidModule)
    assert error.names == ("env.a", "env.b")
    assert error.agent == "agent"


@given(noise=st.binary(max_size=200))
def test_noise_is_no_job_and_no_reply(noise):
    """Bytes that do not decode raise InvalidMessageFormat and nothing else."""
    for codec in (COMPILE_JOB, COMPILER_REPLY):
        with pytest.raises(InvalidMessageFormat):
            codec.decode(b"\1" + noise + b"\xc1")


def test_a_length_beyond_the_bound_is_refused_unread():
    """Nobody reads a gigabyte because four bytes say so."""
    assert length_in(header_of(b"x" * 70_000), 70_000) == 70_000
    for header in (b"\xff\xff\xff\xff", (1_001).to_bytes(4, "big"), b"\0\0"):
        with pytest.raises(InvalidMessageFormat):
            length_in(header, 1_000)


@pytest.mark.parametrize(("codec", "most"), [(COMPILE_JOB, MAX_JOB_BYTES), (COMPILER_REPLY, MAX_REPLY_BYTES)])
def test_a_job_and_a_reply_have_bounds(codec, most):
    """What is as long as may be is read, and found to be nothing; what is longer is refused for its length."""
    for length, told in ((most, "version"), (most + 1, f"beyond {most}")):
        with pytest.raises(InvalidMessageFormat, match=told):
            codec.decode(bytes(length))


@pytest.mark.parametrize("cut", range(7))
def test_a_stream_that_ends_within_a_frame_has_none(cut):
    """Half a frame is no frame."""
    stream = io.BytesIO()
    write_frame(stream, b"123")
    assert read_frame(io.BytesIO(stream.getvalue()[:cut]), 10) is None


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (None, "too long"),
        (-signal.SIGKILL, "too long"),
        (-signal.SIGXCPU, "3 s of processor time"),
        (-signal.SIGABRT, "1024 MiB of memory"),
        (1, "exit 1"),
    ],
)
def test_a_compiler_that_died_says_why_by_its_exit(returncode, words):
    """Each way to end without an answer is an InvalidModule that names the limit."""
    error = beyond_limits("bomb", returncode)
    assert error.agent == "bomb"
    assert words in error.problem
