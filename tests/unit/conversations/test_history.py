"""In which order messages are told that several shards remember, and whose clocks count milliseconds."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.conversations.history import in_order
from caxton.conversations.summary import Summary
from caxton.ids import SESSION_BIT

CLIENT, ASKED, HELPER = SESSION_BIT | 1, 1, 2
INFORM, REQUEST = 7, 16


def said(name, sender, receiver, answers="", sent_at=1):
    """Return a message; its id and that of its question are made of their names."""
    performative = INFORM if answers else REQUEST
    question = answers.encode() * 16 if answers else None
    return Summary(name.encode() * 16, performative, sender, receiver, sent_at, 1, question)


def names(messages):
    """Return in which order messages are told, whichever order they are known in."""
    orders = {tuple(in_order(known)) for known in permutations(messages)}
    assert len(orders) == 1
    return "".join(one.message_id[:1].decode() for one in orders.pop())


ONE_AFTER_THE_OTHER = [
    said("d", CLIENT, ASKED),
    said("z", ASKED, CLIENT, "d"),
    said("e", CLIENT, HELPER),
    said("a", HELPER, CLIENT, "e"),
]
ASKED_IN_BETWEEN = [
    said("x", CLIENT, ASKED),
    said("b", ASKED, HELPER),
    said("y", HELPER, ASKED, "b"),
    said("c", ASKED, CLIENT, "x"),
]
WITH_A_CLOCK_BEHIND = [said("d", CLIENT, ASKED, sent_at=3), said("z", ASKED, CLIENT, "d", sent_at=2)]
TO_A_QUESTION_OF_BEFORE = [said("z", ASKED, CLIENT, "d"), said("e", CLIENT, HELPER), said("a", HELPER, CLIENT, "e")]
LATER_FIRST = [said("z", CLIENT, ASKED, sent_at=1), said("a", CLIENT, ASKED, sent_at=2)]


@pytest.mark.parametrize(
    ("messages", "order"),
    [
        pytest.param(ONE_AFTER_THE_OTHER, "dzea", id="a client that waits for each answer"),
        pytest.param(ASKED_IN_BETWEEN, "xbyc", id="an agent that asks another before it answers"),
        pytest.param(WITH_A_CLOCK_BEHIND, "dz", id="an answer by a clock that is behind"),
        pytest.param(TO_A_QUESTION_OF_BEFORE, "zea", id="an answer to what is not remembered"),
        pytest.param(LATER_FIRST, "za", id="two milliseconds"),
    ],
)
def test_messages_are_told_as_they_were_said(messages, order):
    """Where clocks say the same, or the wrong thing, what answers what says more."""
    assert names(messages) == order


def test_messages_that_answer_each_other_in_a_circle_are_told():
    """Who makes up ids can send such ones; they are told by their clocks, and none is left out."""
    circle = [said("b", CLIENT, ASKED, "a"), said("a", ASKED, CLIENT, "b"), said("c", CLIENT, ASKED, "c")]
    assert names(circle) == "abc"


def test_messages_of_a_clock_that_was_set_back_are_told():
    """An agent that answers again after that seems to have said it before; clocks say all there is to say."""
    turns = [
        said("a", CLIENT, ASKED, sent_at=4),
        said("b", ASKED, CLIENT, "a", sent_at=5),
        said("c", CLIENT, ASKED, "b", sent_at=6),
        said("d", ASKED, CLIENT, "c", sent_at=2),
    ]
    assert names(turns) == "dabc"


made_up = st.builds(
    said,
    st.sampled_from("abcdefgh"),
    st.sampled_from([CLIENT, ASKED, HELPER]),
    st.just(HELPER),
    st.sampled_from(["", *"abcdefgh"]),
    st.integers(0, 2),
)


@given(st.lists(made_up, max_size=8, unique_by=lambda one: one.message_id), st.randoms())
def test_whatever_is_said_is_told_once(messages, random):
    """All of it, in an order that does not depend on who is asked first; answers behind questions, but in a circle."""
    ordered = in_order(messages)
    shuffled = random.sample(messages, len(messages))
    assert in_order(shuffled) == ordered
    assert sorted(ordered, key=lambda one: one.message_id) == sorted(messages, key=lambda one: one.message_id)
    by_clock = sorted(messages, key=lambda one: (one.sent_at, one.message_id))
    places = {one.message_id: place for place, one in enumerate(ordered)}
    for one in ordered:
        if ordered != by_clock and one.in_reply_to in places:
            assert places[one.in_reply_to] <= places[one.message_id]
