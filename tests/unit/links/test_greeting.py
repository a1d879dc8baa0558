"""What hellos mean, and how two ends get to know each other."""

from itertools import product

import pytest

from caxton.links.durable import DurableIncoming, DurableLink, DurableOutgoing
from caxton.links.greeting import hear, say
from caxton.wire.control import Hello
from caxton.wire.link_state import Refusal

MARK = bytes(16)
FILES = {1: 11, 2: 22}


def link_of(emitted=0, taken=0):
    return DurableLink(
        DurableOutgoing(emitted=emitted, credit_messages=None, credit_bytes=None),
        DurableIncoming(taken=taken, window_messages=None, window_bytes=None),
    )


def hello(*, file=22, of_file=11, answer_wanted=False):
    return Hello(2, MARK, 1, file, of_file, 0, 0, answer_wanted)


@pytest.mark.parametrize(
    ("heard", "known_file", "means"),
    [
        (hello(), 22, (False, True, False)),
        (hello(), 0, (False, True, False)),
        (hello(answer_wanted=True), 22, (False, True, True)),
        (hello(of_file=0, answer_wanted=True), 22, (False, False, True)),
        (hello(of_file=0), 0, (False, False, False)),
        (hello(file=23), 22, (True, True, False)),
        (hello(of_file=10), 22, (False, False, True)),
    ],
    ids=["usual", "first", "asks", "knows nothing", "says nothing of us", "another file", "of a file we have not"],
)
def test_a_hello_says_whose_files_it_speaks_of(heard, known_file, means):
    """Who hears it begins anew, goes on from what was taken, answers, or does nothing."""
    assert hear(heard, 11, known_file) == means


def test_our_hello_says_what_was_taken_and_asks_until_we_are_greeted():
    """It settles the hello that was due."""
    link = link_of(emitted=5, taken=7)
    link.incoming.take(9, 1, 0)
    assert link.hello_due
    link.incoming.take(8, 1, 30)
    assert say((1, MARK, 2), 11, 22, link.outgoing, link.incoming) == Hello(1, MARK, 2, 11, 22, 8, 30, True)
    assert not link.incoming.hello_due
    assert link.hello_due, "the source has something to send and is not greeted"
    link.outgoing.greet(0, 0)
    assert not link.hello_due
    assert say((1, MARK, 2), 11, 22, link.outgoing, link.incoming).answer_wanted is False


@pytest.mark.parametrize(("emits", "knows"), list(product([(3, 0), (0, 3), (3, 3)], [(0, 0), (22, 0), (22, 11)])))
def test_two_ends_greet_each_other_in_three_hellos_at_most(emits, knows):
    """Whoever has something to send begins, whatever is known from before, and then both are quiet."""
    links = {1: link_of(emitted=emits[0]), 2: link_of(emitted=emits[1])}
    known = dict(zip((1, 2), knows, strict=True))
    said = []

    def speak(end):
        link = links[end]
        said.append(say((end, MARK, 3 - end), FILES[end], known[end], link.outgoing, link.incoming))

    speak(1 if emits[0] else 2)
    for word in said:
        end = word.target
        heard = hear(word, FILES[end], known[end])
        assert not heard.new_space
        known[end] = word.file
        assert not heard.greets or links[end].outgoing.greet(word.taken, word.taken_bytes)
        if heard.answer:
            speak(end)
    assert len(said) <= 3
    assert known == {1: 22, 2: 11}
    assert all(links[end].outgoing.greeted for end in (1, 2))
    assert not any(link.hello_due for link in links.values())


def test_another_incarnation_must_be_greeted_anew_in_both_directions(state):
    """What the old one had told is forgotten: who has no room, how far we may go, what it waits for."""
    link = link_of(emitted=1)
    link.outgoing.greet(0, 0)
    link.on_state(state(1, lane=1, full=[5], emitted=4))
    assert (link.full, link.incoming.missing) == ({5}, 4)
    link.meet()
    assert (link.full, link.incoming.missing, link.outgoing.greeted) == (frozenset(), 0, False)
    assert link.hello_due


def test_a_link_that_is_told_something_before_its_greeting_says_hello(state):
    """The other waits for a word on its refusals, perhaps."""
    link = link_of()
    assert not link.hello_due
    assert link.on_state(state(1, lane=1)) is None
    assert link.hello_due


def test_the_state_of_a_durable_link_says_so_and_claims_what_went():
    """The other finds out from it what it has not got; what only stands in the outbox is not missing there."""
    link = link_of(emitted=9)
    assert (link.state(1, MARK, 2, []).lane, link.state(1, MARK, 2, []).emitted) == (1, 0)
    link.outgoing.greet(0, 0)
    link.outgoing.went(4, 0)
    link.incoming.closed = "no room"
    told = link.state(1, MARK, 2, [])
    assert (told.emitted, told.closed) == (4, "no room")


def test_refusals_that_count_as_seen_are_told_at_once(state):
    """The source tells it when its commit is done."""
    link = link_of()
    link.outgoing = DurableOutgoing(emitted=3, credit_messages=None, credit_bytes=None, stored=True)
    link.outgoing.greet(3, 0)
    link.on_state(state(1, lane=1, taken=3, refusals=[Refusal(2, 1, "AgentNotFound", {"agent": "a"})]))
    assert link.state(1, MARK, 2, []).refusals_seen == 0
    assert not link.changed
    link.outgoing.keep(link.outgoing.refusals_heard)
    assert link.changed
    assert link.state(1, MARK, 2, []).refusals_seen == 1
    assert not link.changed
