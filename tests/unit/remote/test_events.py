"""Server-sent events, however they are cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.errors import NetworkError
from caxton.gateway.streaming import BEAT, event
from caxton.remote.events import EventReader

TEXTS = st.binary(max_size=40).filter(lambda raw: b"\n" not in raw and b"\r" not in raw)
NAMES = st.sampled_from(["line", "message", "end"])


@given(st.lists(st.tuples(NAMES, TEXTS | st.none()), max_size=8), st.lists(st.integers(0, 30), max_size=20))
def test_events_are_read_as_they_were_written(written, cuts):
    """In order, without the comments between them, wherever the stream is cut."""
    raw = b"".join(BEAT if data is None else event(name, data) for name, data in written)
    reader, read, rest = EventReader("there"), [], raw
    for cut in cuts:
        piece, rest = rest[:cut], rest[cut:]
        read += reader.take(piece)
    read += reader.take(rest)

    assert read == [(name, data) for name, data in written if data is not None]


def test_characters_that_other_readers_take_for_line_ends_are_none():
    """JSON has them in texts as they are."""
    data = '"a\u2028b\x0bc\x85"'.encode()
    assert [*EventReader("there").take(event("line", data))] == [("line", data)]


def test_an_event_is_so_long_and_no_longer():
    """One that does not end is an error."""
    longest = b"data: " + b"x" * 94
    reader = EventReader("there", 100)
    assert [*reader.take(longest)] == []
    assert [*reader.take(b"\n\n")] == [("message", b"x" * 94)]
    with pytest.raises(NetworkError, match="100 bytes"):
        [*reader.take(longest + b"x")]
