import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.limits import DEFAULT_LIMITS
from caxton.errors import ResourceExhausted, ValidationError
from caxton.supervisor.desk.caller import Caller
from caxton.supervisor.desk.uploads import IDLE_S, LONGEST_S, MAX_UPLOADS, Uploads
from caxton.wire.supervision import UploadModule

CALLER, LATE, IDLE, BUSY = (Caller(line, line) for line in (100, 101, 102, 103))


def pieces_of(content, size=3):
    sha256 = hashlib.sha256(content).digest()
    return [
        UploadModule(sha256, len(content), offset, content[offset : offset + size], "agent", DEFAULT_LIMITS)
        for offset in range(0, max(len(content), 1), size)
    ]


@given(st.binary(max_size=40), st.integers(1, 9))
def test_pieces_in_order_make_the_module(content, size):
    """Pieces of any size, in order, give the bytes again, and then nothing of the upload is kept."""
    uploads = Uploads()

    taken = [uploads.take(CALLER, piece, 0.0) for piece in pieces_of(content, size)]

    assert taken[-1].complete
    assert bytes(taken[-1].content) == content
    assert len(uploads) == 0


def test_callers_do_not_meet():
    """Two callers that send the same module at once each get it whole."""
    uploads = Uploads()
    first, second = pieces_of(b"abcdef")

    for caller in (Caller(1, 1), Caller(2, 1)):
        assert not uploads.take(caller, first, 0.0).complete
    assert all(bytes(uploads.take(caller, second, 0.0).content) == b"abcdef" for caller in (Caller(1, 1), Caller(2, 1)))


def test_a_piece_that_does_not_follow_ends_the_upload():
    """A piece at another offset, of another module, or without a beginning is refused, and nothing is kept."""
    first, second, third = pieces_of(b"abcdefghi")
    foreign = pieces_of(b"xyzxyzxyz")[1]
    uploads = Uploads()

    for wrong in (third, foreign):
        uploads.take(CALLER, first, 0.0)
        with pytest.raises(ValidationError, match="does not follow"):
            uploads.take(CALLER, wrong, 0.0)
        with pytest.raises(ValidationError, match="begin at offset 0"):
            uploads.take(CALLER, second, 0.0)
    assert (len(uploads), uploads.abandoned) == (0, 2)


def test_more_bytes_than_announced_are_refused():
    """A caller that sends more than it announced is refused before the bytes are kept."""
    uploads = Uploads()
    piece = UploadModule(bytes(32), 4, 0, b"12345", "agent", DEFAULT_LIMITS)

    with pytest.raises(ValidationError, match="more bytes"):
        uploads.take(CALLER, piece, 0.0)
    assert len(uploads) == 0


def test_a_new_beginning_replaces_the_callers_upload():
    """A caller that begins again is heard: its first upload is given up, and takes no second place."""
    uploads = Uploads()
    first, second = pieces_of(b"abcdef")
    uploads.take(CALLER, pieces_of(b"qwerty")[0], 0.0)

    uploads.take(CALLER, first, 0.0)

    assert uploads.take(CALLER, second, 0.0).complete
    assert uploads.abandoned == 1


def test_uploads_are_bounded():
    """Beyond the bound a new upload is refused; when one is finished or given up, there is room again."""
    uploads = Uploads()
    first, second = pieces_of(b"abcdef")
    for number in range(MAX_UPLOADS):
        uploads.take(Caller(number, number), first, 0.0)

    with pytest.raises(ResourceExhausted):
        uploads.take(LATE, first, 0.0)

    uploads.take(Caller(1, 1), second, 1.0)
    assert not uploads.take(LATE, first, 100.0).complete


def test_those_whom_one_process_acts_for_are_told_apart():
    """A gateway has one process for all: who holds every place gives one up for somebody else there."""
    uploads = Uploads()
    first, second = pieces_of(b"abcdef")
    for line in range(MAX_UPLOADS):
        uploads.take(Caller(line, 1, "token:many"), first, float(line) / 100)

    with pytest.raises(ResourceExhausted):
        uploads.take(Caller(50, 1, "token:many"), first, 1.0)
    assert not uploads.take(Caller(51, 1, "token:none"), first, 1.0).complete
    assert uploads.take(Caller(51, 1, "token:none"), second, 1.0).complete


def test_a_process_gives_up_one_of_many():
    """One process that holds every place gives one up for a process that has none, and no more than that."""
    uploads = Uploads()
    first, second = pieces_of(b"abcdef")
    for line in range(MAX_UPLOADS):
        uploads.take(Caller(line, 1), first, float(line) / 100)

    with pytest.raises(ResourceExhausted):
        uploads.take(Caller(50, 1), first, 1.0)
    assert not uploads.take(LATE, first, 1.0).complete
    with pytest.raises(ValidationError):
        uploads.take(Caller(0, 1), second, 1.0)
    assert uploads.take(LATE, second, 1.0).complete
    assert uploads.abandoned == 1


def test_idle_uploads_are_dropped():
    """An upload without a piece for 5 s is dropped, and one that takes a minute; one that moves is not."""
    uploads = Uploads()
    first, second, third = pieces_of(b"abcdefghi")
    for caller in (IDLE, BUSY):
        uploads.take(caller, first, 0.0)
    uploads.take(BUSY, second, 3.0)

    uploads.drop_idle(IDLE_S + 1.0)

    assert uploads.abandoned == 1
    assert uploads.take(BUSY, third, 7.0).complete
    with pytest.raises(ValidationError):
        uploads.take(IDLE, second, 7.0)

    pieces = pieces_of(bytes(200), 1)
    for step in range(int(LONGEST_S) + 1):
        uploads.take(BUSY, pieces[step], float(step))
    uploads.drop_idle(LONGEST_S + 0.5)
    assert (len(uploads), uploads.abandoned) == (0, 2)


def test_places_that_nobody_uses_are_given_to_others():
    """A new upload does not wait for the next look at those that are late."""
    uploads = Uploads()
    first, _ = pieces_of(b"abcdef")
    for line in range(MAX_UPLOADS):
        uploads.take(Caller(line, line), first, 0.0)
    assert not uploads.take(LATE, first, IDLE_S + 1.0).complete
