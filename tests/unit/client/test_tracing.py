"""Which messages of a client are sampled: what decides, and what decides first."""

import sys
from contextvars import copy_context
from types import SimpleNamespace

import pytest

from caxton.acl.message import Message
from caxton.acl.trace_context import is_sampled, read
from caxton.client.routes.handled_now import HANDLED_NOW
from caxton.client.routes.tracing import Tracing, attach_here
from caxton.errors import ValidationError
from caxton.ids import ConversationId

OWN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def marked(tracing, *messages):
    """What contexts messages leave with."""
    envelopes = [message.envelope for message in messages]
    tracing.mark([(envelope, None, 0, True) for envelope in envelopes])
    return [None if envelope.rare is None else envelope.rare.trace_context for envelope in envelopes]


@pytest.fixture
def current(monkeypatch):
    """Let the application have a current span."""

    def be(*, valid=True, sampled=True, span_id=0xDEF):
        context = SimpleNamespace(
            is_valid=valid, trace_id=0xABC, span_id=span_id, trace_flags=SimpleNamespace(sampled=sampled)
        )
        span = SimpleNamespace(get_span_context=lambda: context)
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace(get_current_span=lambda: span))

    return be


def test_who_samples_nothing_writes_nothing():
    """Without a ratio a message has no rare fields."""
    message = Message(7, b"x")
    assert marked(Tracing(0.0), message) == [None]
    assert message.envelope.rare is None


def test_chance_decides_how_many_are_passed_over():
    """At one in two the numbers 0.8 and 0.6 pass two messages over, and then one; each sampled one is its own trace."""
    dice = iter([0.8, 0.6, 0.0]).__next__
    tracing = Tracing(0.5, dice)
    contexts = marked(tracing, *(Message(7, b"x") for _ in range(2))) + marked(
        tracing, *(Message(7, b"x") for _ in range(3))
    )
    assert [context is not None for context in contexts] == [False, False, True, False, True]
    assert read(contexts[2]).trace != read(contexts[4]).trace


def test_about_as_many_are_sampled_as_the_ratio_says():
    """Of 20,000 messages at one in ten about 2,000."""
    contexts = marked(Tracing(0.1), *(Message(7, b"x") for _ in range(20_000)))
    assert 1_600 < sum(context is not None for context in contexts) < 2_400


def test_what_has_a_context_keeps_it():
    """Chance is not asked, whether or not that context is sampled."""
    unsampled = OWN[:-1] + "0"
    messages = [Message(7, b"x", trace_context=text) for text in (OWN, unsampled, "anything")]
    assert marked(Tracing(1.0), *messages) == [OWN, unsampled, "anything"]


def test_messages_of_a_conversation_share_a_trace():
    """Whichever client sends them, and whatever else they are."""
    conversation = ConversationId(bytes(range(16)))
    messages = [Message(7, b"x", conversation_id=conversation, ontology="o") for _ in range(3)]
    contexts = marked(Tracing(1.0), *messages[:2]) + marked(Tracing(1.0), messages[2])
    assert len(set(contexts)) == 1
    assert is_sampled(contexts[0])
    assert messages[0].envelope.rare.ontology == "o"


def test_the_applications_own_trace_is_joined(current):
    """Its current span is the parent, without any ratio."""
    current()
    assert marked(Tracing(0.0), Message(7, b"x")) == [f"00-{0xABC:032x}-{0xDEF:016x}-01"]
    assert Tracing(0.0).context() == f"00-{0xABC:032x}-{0xDEF:016x}-01"


def test_what_the_application_does_not_sample_is_not_sampled(current):
    """The parent decides."""
    current(sampled=False)
    assert marked(Tracing(1.0), Message(7, b"x")) == [None]
    current(valid=False)
    assert is_sampled(marked(Tracing(1.0), Message(7, b"x"))[0])


class Handled:
    """What a handler handles: a message in this context."""

    def __init__(self, context):
        self.context = context


@pytest.mark.parametrize(("context", "left"), [(OWN, OWN), ("", None)])
def test_what_a_handler_sends_is_as_what_it_handles(current, context, left):
    """In its trace, or in none, whatever the ratio; also within the span in which its agent was attached, for ever."""

    def send(*, is_own_span=False):
        HANDLED_NOW.set(Handled(context))
        if is_own_span:
            current(sampled=True, span_id=0xAAA)
        conversation = ConversationId(bytes(range(16)))
        return marked(Tracing(1.0), Message(7, b"x"), Message(7, b"x", conversation_id=conversation))

    assert copy_context().run(send) == [left, left]
    current()
    here = copy_context()
    here.run(attach_here)
    assert here.copy().run(send) == [left, left]
    own = f"00-{0xABC:032x}-{0xAAA:016x}-01"
    assert here.copy().run(send, is_own_span=True) == [own, own]


def test_a_handler_of_a_message_without_a_trace_looks_at_no_message():
    """Nothing is to be written on any of them, so sending costs what it costs without traces."""

    def send():
        HANDLED_NOW.set(Handled(""))
        Tracing(1.0).mark(iter([None]))

    copy_context().run(send)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan"), True, "1", None])
def test_a_ratio_is_a_number_from_0_to_1(ratio):
    """Anything else is a mistake of whoever connects."""
    with pytest.raises(ValidationError, match="trace_sampling_ratio"):
        Tracing(ratio)
