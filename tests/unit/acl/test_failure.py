import contextlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caxton.acl.failure import read_report, report
from caxton.errors import BY_NAME, AgentError, CaxtonError, InvalidMessageFormat, QueueFull, UnknownError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
pack = msgspec.msgpack.encode


@given(receiver=st.text(), depth=st.integers(0, 2**63), capacity=st.integers(0, 2**63))
def test_an_error_comes_back_as_it_was(receiver, depth, capacity):
    """The error that a failure tells of has its type and its fields."""
    found = read_report(report(QueueFull(receiver, depth, capacity)))

    assert type(found) is QueueFull
    assert (found.receiver, found.depth, found.capacity) == (receiver, depth, capacity)


def test_agents_can_read_it_too():
    """The content is a msgpack map with the error's name, its fields and its text."""
    assert msgspec.msgpack.decode(report(AgentError("5", -7))) == {
        "error": "AgentError",
        "fields": {"agent": "5", "error_code": -7},
        "message": "agent 5 answered with its error code -7",
    }


@given(raw=st.binary(max_size=60))
@example(b"\x83\xa5error\xa1x\xa6fields\x81\xa1a\x81\x81\x01\x01\x01\xa7message\xa1x")
@example(b"\x83\xa5error\xa1x\xa6fields\x81\xa1a\x81\x90\x01\xa7message\xa1x")
@example(b"\x91" * 100_000)
@example(b"\x81\xa6fields\x81\xa1a" + b"\x91" * 100_000)
def test_other_bytes_are_invalid_and_nothing_else(raw):
    """Bytes that are no report raise InvalidMessageFormat, however they are built."""
    with contextlib.suppress(InvalidMessageFormat):
        assert isinstance(read_report(raw), CaxtonError)


@given(
    name=st.sampled_from(sorted(BY_NAME)) | st.text(max_size=10),
    fields=st.dictionaries(st.sampled_from(["agent", "names", "timeout_s", "limit", "problem", "field"]), ANYTHING),
)
def test_any_fields_make_an_error_that_can_be_shown(name, fields):
    """Whatever a report claims, what comes of it is an error of ours with a text, or an invalid report."""
    try:
        found = read_report(pack({"error": name, "fields": fields, "message": ""}))
    except InvalidMessageFormat:
        return
    assert isinstance(found, CaxtonError)
    assert str(found)


def test_an_unknown_kind_is_told_as_such():
    """An error that this version does not know is shown with its name and fields."""
    found = read_report(pack({"error": "Nova", "fields": {"a": 1}, "message": "m"}))

    assert isinstance(found, UnknownError)
    assert "Nova" in str(found)


@pytest.mark.parametrize("missing", ["error", "fields", "message"])
def test_a_report_is_whole(missing):
    """A report without one of its three parts is none."""
    whole = {"error": "QueueFull", "fields": {}, "message": "m"}
    del whole[missing]
    with pytest.raises(InvalidMessageFormat):
        read_report(pack(whole))
