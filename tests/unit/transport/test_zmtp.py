import pytest

from caxton.errors import InvalidMessageFormat
from caxton.transport.zmtp import HEAD_BYTES, SMALL_FRAME, Incoming, header, opening

LARGEST = 1 << 20


def framed(*frames):
    return b"".join(header(len(frame)) + frame for frame in frames)


@pytest.fixture
def seen():
    """What `admit` was asked: heads and sizes."""
    return []


@pytest.fixture
def incoming(seen):
    """A connection that is greeted, whose frames anybody may send unless they begin with a minus."""

    def admit(head, size):
        seen.append((head, size))
        return not head.startswith(b"-")

    connection = Incoming(LARGEST, admit)
    assert connection.frames(opening(b"PUSH"), 1) == []
    return connection


def test_frames_come_whole_and_in_order(incoming):
    """However the bytes are cut, the same frames come."""
    frames = [b"", b"one", bytes(255), bytes(256), b"x" * 70_000, b"last"]
    said = framed(*frames)

    found = []
    for cut in range(0, len(said), 1_000):
        found += incoming.frames(said[cut : cut + 1_000], 64)

    assert found == frames
    assert len(incoming) == 0


def test_a_greeting_may_come_byte_by_byte():
    """A handshake that is cut anywhere is the same handshake."""
    connection = Incoming(LARGEST, lambda _head, _size: True)
    found = [frame for byte in opening(b"PUSH") + framed(b"x") for frame in connection.frames(bytes([byte]), 1)]

    assert found == [b"x"]


def test_no_more_frames_than_are_asked_for(incoming):
    """What is beyond the number that is asked for stays, and comes next."""
    assert incoming.frames(framed(b"a", b"b", b"c"), 2) == [b"a", b"b"]
    assert incoming.frames(b"", 2) == [b"c"]


@pytest.mark.parametrize(
    "said",
    [
        b"\x01\x01a",  # the first of several parts
        b"\x03" + (8).to_bytes(8, "big"),  # a long one
        b"\x04\x05PING\x00",
        b"\x08\x00",
        b"\x02" + (LARGEST + 1).to_bytes(8, "big"),
        b"\x02" + b"\xff" * 8,
    ],
)
def test_what_is_no_frame_is_refused_at_its_header(incoming, said):
    """Several parts, commands, unknown flags and sizes beyond the largest end a connection before any content came."""
    with pytest.raises(InvalidMessageFormat):
        incoming.frames(said, 64)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1",
        b"\xff" + bytes(9),
        opening(b"PUSH").replace(b"NULL", b"WELL"),
        b"\xff" + bytes(8) + b"\x7f\x02" + bytes(60),
        opening(b"PUSH")[:64] + b"\x00\x01a",
        opening(b"PUSH")[:64] + b"\x04\x05ERROR",
    ],
)
def test_what_is_no_handshake_is_refused(said):
    """Other protocols, versions and mechanisms, and frames before the handshake, end a connection."""
    with pytest.raises(InvalidMessageFormat):
        Incoming(LARGEST, lambda _head, _size: True).frames(said, 64)


def test_the_head_of_a_large_frame_is_looked_at_before_the_rest_comes(incoming, seen):
    """A large frame is asked about once, as soon as its head is there, and refused with nothing of it kept."""
    size = SMALL_FRAME + 1
    assert incoming.frames(header(size) + bytes(HEAD_BYTES - 1), 64) == []
    assert (seen, incoming.wanted) == ([], 0)

    incoming.frames(b"\0", 64)
    incoming.frames(b"\0" * 100, 64)
    assert seen == [(bytes(HEAD_BYTES), size)]
    assert incoming.wanted == size
    assert incoming.frames(bytes(size - HEAD_BYTES - 100), 64) == [bytes(size)]
    assert incoming.wanted == 0

    with pytest.raises(InvalidMessageFormat):
        incoming.frames(header(size) + b"-" * HEAD_BYTES, 64)


def test_who_a_connection_is_follows_from_its_frames(incoming):
    """A connection is vouched for from its first frame on that somebody may have sent, and not asked about again."""
    incoming.frames(framed(b"-nobody"), 64)
    assert not incoming.vouched
    incoming.frames(framed(b"somebody"), 64)
    incoming.frames(framed(b"-nobody"), 64)
    assert incoming.vouched
