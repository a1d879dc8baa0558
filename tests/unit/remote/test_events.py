"""Server-sent events, however they are cut into pieces."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import MAX_CONTENT
from caxton.acl.message import Message
from caxton.errors import MessageTooLarge
from caxton.forms.message_form import read_told, told_values
from caxton.gateway.problem import as_json
from caxton.gateway.streaming import BEAT, event
from caxton.ids import AgentId
from caxton.remote.events import MAX_EVENT_BYTES, EventReader

TEXTS = st.binary(max_size=40).filter(lambda raw: b"\n" not in raw and b"\r" not in raw)
NAMES = st.sampled_from(["line", "message", "end"])


@given(st.lists(st.tuples(NAMES, TEXTS | st.none()), max_size=8), st.lists(st.integers(0, 30), max_size=20))
def test_events_are_read_as_they_were_written(written, cuts):
    """In order, without the comments between them, wherever the stream is cut."""
    raw = b"".join(BEAT if data is None else event(name, data) for name, data in written)
    reader, read, rest = EventReader(), [], raw
    for cut in cuts:
        piece, rest = rest[:cut], rest[cut:]
        read += reader.take(piece)
    read += reader.take(rest)

    assert read == [(name, data) for name, data in written if data is not None]


def test_characters_that_other_readers_take_for_line_ends_are_none():
    """JSON has them in texts as they are."""
    data = '"a\u2028b\x0bc\x85"'.encode()
    assert [*EventReader().take(event("line", data))] == [("line", data)]


def test_an_event_is_so_long_and_no_longer():
    """One that does not end is an error."""
    longest = b"data: " + bytes(MAX_EVENT_BYTES - 6)
    reader = EventReader()
    assert [*reader.take(longest)] == []
    assert [*reader.take(b"\n\n")] == [("message", longest[6:])]
    with pytest.raises(MessageTooLarge, match=f"{MAX_EVENT_BYTES + 1} bytes, and the limit is {MAX_EVENT_BYTES}"):
        [*reader.take(longest + b"x")]


@pytest.mark.parametrize("content", [b'"', b"\0", b"\xff", "\u00e4".encode(), b"\n", b"\0" + b"a" * 15])
def test_the_longest_message_is_no_event_that_is_too_long(content):
    """Whatever its content is, JSON makes it twice as long at most."""
    content = content * (MAX_CONTENT // len(content))
    told = as_json(told_values(Message(AgentId(5), content)))
    assert len(told) < 2 * MAX_CONTENT + 1_000 < MAX_EVENT_BYTES
    ((_, data),) = EventReader().take(event("message", told))
    assert read_told(json.loads(data)).content == content
