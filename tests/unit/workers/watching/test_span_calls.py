"""What clients leave of spans, and how it is read."""

from types import SimpleNamespace

import msgspec
import pytest

from caxton.errors import ValidationError
from caxton.transport.sockets import MAX_SOCKET_FRAME
from caxton.wire.spans import DEPLOY, MAX_LEFT, MAX_SPAN_BYTES, MAX_SPANS_PAGE, LeaveSpans, LeftSpan, ReadSpans
from workers.loop.span_calls import SpanCalls
from workers.watching.spans import Spans

CONTEXT = f"00-{'ab' * 16}-{'cd' * 8}-01"


def of_size(size):
    """A span that travels as so many bytes."""
    span = LeftSpan(DEPLOY, CONTEXT, 1, 1, 1, 1, 2, attributes=dict.fromkeys(map(str, range(10, 26)), "x" * 110))
    span.attributes["25"] += "x" * (size - len(msgspec.msgpack.encode(span)))
    assert len(msgspec.msgpack.encode(span)) == size
    return span


@pytest.fixture
def calls():
    watching = SimpleNamespace(spans=Spans())
    return SpanCalls(SimpleNamespace(watching=watching, incarnation=9))


def test_a_span_is_so_large_and_no_larger(calls):
    """None of the word that has one is kept."""
    calls.answer(LeaveSpans([of_size(MAX_SPAN_BYTES)]))
    with pytest.raises(ValidationError, match="2,049"):
        calls.answer(LeaveSpans([of_size(MAX_SPAN_BYTES), of_size(MAX_SPAN_BYTES + 1)]))
    assert len(calls.answer(ReadSpans()).spans) == 1


def test_a_page_of_the_largest_spans_is_far_below_what_a_socket_takes(calls):
    """Whoever fills what is kept with them keeps nobody from reading."""
    for _ in range(MAX_SPANS_PAGE // MAX_LEFT + 1):
        calls.answer(LeaveSpans([of_size(MAX_SPAN_BYTES)] * MAX_LEFT))
    page = calls.answer(ReadSpans())
    assert len(page.spans) == MAX_SPANS_PAGE
    assert len(msgspec.msgpack.encode(page)) < MAX_SOCKET_FRAME / 4
