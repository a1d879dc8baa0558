"""The tree of errors: whole, readable, and the same after a journey."""

import re
from dataclasses import fields
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton import errors
from caxton.acl import failure
from caxton.errors import BY_NAME, AgentNotRunning, CaxtonError, QueueFull, UnknownError, from_fields, to_fields
from caxton.wire.calls import Failed
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer

KINDS = sorted(BY_NAME.values(), key=lambda kind: kind.__name__)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
VALUES = {
    str: TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    str | None: st.none() | TEXT,
    tuple[str, ...]: st.lists(TEXT, max_size=4).map(tuple),
}


def errors_of(kind):
    """Any error of this kind."""
    return st.builds(kind, **{f.name: VALUES[get_type_hints(kind)[f.name]] for f in fields(kind)})


def drawn():
    """Return the names in the tree at the head of the module, each with its parent."""
    found, path = {}, ["CaxtonError"]
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ((?:│   |    )*)[├└]── (\w+)", line)
        if match:
            depth = len(match[1]) // 4 + 1
            found[match[2]] = path[depth - 1]
            path[depth:] = [match[2]]
    return found


def test_the_tree_is_as_it_is_drawn():
    """At the head of the file, every class stands under its parent."""
    assert drawn() == {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS if kind is not CaxtonError}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=settings().max_examples // 4)
@given(draw=st.data())
def test_every_error_comes_back_as_it_went(kind, draw):
    """By its name and fields, directly, in a control frame, and in a failure's content."""
    error = draw.draw(errors_of(kind))
    sent = Failed(type(error).__name__, to_fields(error))
    carried = CONTROL.decode(CONTROL.encode(Answer(1, bytes(16), 2, 3, sent))).result
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(to_fields(error)))
    for found in (
        from_fields(kind.__name__, to_fields(error)),
        from_fields(kind.__name__, packed),
        from_fields(carried.error, carried.fields),
        failure.read_report(failure.report(error)),
    ):
        assert type(found) is kind
        assert to_fields(found) == to_fields(error)
        assert str(found) == str(error)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=settings().max_examples // 4)
@given(draw=st.data())
def test_every_error_says_what_was_wrong_with_all_its_fields(kind, draw):
    """The text names each field's value, but for those that a subclass words itself."""
    error = draw.draw(errors_of(kind))
    text = str(error)
    assert text
    for name in re.findall(r"{(\w+)}", kind.says):
        assert str(getattr(error, name)) in text
    assert kind.hint in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_caught_as_a_caxton_error_and_is_documented(kind):
    """One except clause catches them all, and each says when it is raised."""
    assert issubclass(kind, CaxtonError)
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}("), "written by dataclass, not by us"


def test_a_timeout_is_pythons_too():
    """Whoever waits catches it with whatever else took too long, and it says what it says."""
    with pytest.raises(TimeoutError, match="the shard: no answer within 5 s") as raised:
        raise errors.Timeout("the shard", timeout_s=5)
    assert (raised.value.what, raised.value.timeout_s) == ("the shard", 5)


def test_context_is_a_note_and_the_error_stays_itself():
    """Where it happened is added on the way up."""
    error = QueueFull("a", 1, 1)
    assert error.with_context("sending 5") is error
    assert error.__notes__ == ["sending 5"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("NoSuchError", {}),
        ("QueueFull", {}),
        ("QueueFull", {"receiver": "a"}),
        ("Timeout", {"what": "x", "timeout_s": "soon"}),
        ("InvalidModule", {"agent": "a", "problem": "p", "names": 5}),
        ("InvalidModule", {"agent": "a", "problem": "p", "names": [1]}),
        ("Exception", {}),
        ("__class__", {}),
    ],
    ids=str,
)
def test_an_error_that_makes_no_sense_stays_unknown(name, values):
    """A newer or a hostile peer cannot make the reader fail, nor claim that it refused something before it was sent."""
    found = from_fields(name, values)
    assert type(found) is UnknownError
    assert name in str(found)
    assert name in str(found)


@given(
    name=st.sampled_from(sorted(BY_NAME)) | TEXT,
    values=st.dictionaries(
        st.sampled_from(sorted({f.name for kind in KINDS for f in fields(kind)})) | TEXT,
        st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(TEXT),
        max_size=5,
    ),
)
def test_any_fields_make_an_error_that_can_be_shown(name, values):
    """Whatever a peer sends."""
    assert isinstance(str(from_fields(name, values)), str)


def test_fields_of_a_later_version_are_ignored():
    """An error may gain a field."""
    found = from_fields("AgentNotFound", {"agent": "a", "since": 5})
    assert to_fields(found) == {"agent": "a"}


def test_braces_in_a_value_are_only_text():
    """A name cannot reach into the error."""
    assert "{agent.__class__}" in str(errors.AgentNotFound("{agent.__class__}"))


def test_a_detached_agent_says_what_waits_for_a_program():
    """Who is refused since no program runs the agent is told that durable messages wait; other states say their own."""
    assert "only durable messages wait" in str(AgentNotRunning("a", "detached"))
    assert str(AgentNotRunning("a", "stopped")) == "agent a is stopped and takes no messages"
