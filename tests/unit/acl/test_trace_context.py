"""What a trace context is, and what follows from one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.trace_context import begun, behind, draws, is_sampled, read, received, span_of, trace_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
IDS = st.binary(min_size=16, max_size=16)


def test_a_context_is_read_as_its_specification_writes_it():
    """The example of the specification is sampled, and says its trace and its parent."""
    context = f"00-{TRACE}-{SPAN}-01"
    assert is_sampled(context)
    assert read(context) == (TRACE, int(SPAN, 16))
    assert is_sampled(f"00-{TRACE}-{SPAN}-03")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-02",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_malformed_or_not_sampled_is_no_context_to_follow(text):
    """Whatever a client writes there, only what the specification calls valid and sampled goes further."""
    assert not is_sampled(text)


@given(st.integers(0, (1 << 128) - 1))
def test_what_begins_a_trace_follows_from_nothing(trace):
    """Every number makes a valid context, whose parent is read as none."""
    context = begun(trace)
    assert is_sampled(context)
    assert read(context).parent == 0


@given(IDS, st.integers(0, 20))
def test_what_follows_is_of_the_same_trace(raw, tries):
    """It has the trace of what it follows from, and the span as its parent."""
    span = span_of(raw, tries)
    context = behind(begun(trace_of(raw)), span)
    assert is_sampled(context)
    assert read(context) == (read(begun(trace_of(raw))).trace, span)


def test_each_try_of_a_message_is_a_span_of_its_own():
    """Ids that follow each other, and tries of the same one, have different spans."""
    ids = [(7 << 64 | number).to_bytes(16, "big") for number in range(1_000)]
    spans = {span_of(raw, 20 * tries) for raw in ids for tries in range(10)}
    agents = [(number << 10) | shard for number in range(1, 100) for shard in range(2)]
    assert len({span_of(ids[0], tries, agent) for agent in agents for tries in range(20)}) == 20 * len(agents)
    assert len({span_of(raw) for raw in ids}) == len(ids)
    assert len(spans) > len(ids)


def test_a_conversation_is_sampled_by_all_or_by_nobody():
    """Who samples more samples all that somebody else does, and about as many as the ratio says."""
    traces = [trace_of(number.to_bytes(16, "big")) for number in range(2_000)]
    some, more = ({trace for trace in traces if draws(trace, ratio)} for ratio in (0.1, 0.3))
    assert some < more
    assert 100 < len(some) < 300
    assert all(draws(trace, 1.0) and not draws(trace, 0.0) for trace in traces)


@pytest.mark.parametrize(
    ("header", "context"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-fe", f"00-{TRACE}-{SPAN}-00"),
        (f" \t00-{TRACE}-{SPAN}-01 ", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01-", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01-what.the-future-says", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"00-{TRACE}-{SPAN}-01-", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"0-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-1", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f"00-{TRACE}0-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN.upper()}-01", None),
        (f"00-{TRACE}-{SPAN}-0A", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00_{TRACE}_{SPAN}_01", None),
        (f"00-{TRACE}-{SPAN}-01\n", None),
        ("", None),
        ("-" * 100_000, None),
    ],
)
def test_what_others_write_is_read_as_the_specification_says(header, context):
    """A later version is read as this one; what is malformed is none."""
    assert received(header) == context


@given(st.text(max_size=80))
def test_whatever_comes_is_a_context_or_none(header):
    """And never an error."""
    assert received(header) is None
