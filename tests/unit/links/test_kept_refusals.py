"""Refusals that outlive the target's incarnations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.errors import AgentNotFound, QueueFull
from caxton.links.kept_refusals import KeptRefusals
from caxton.wire.link_state import MAX_REFUSALS

FULL, UNKNOWN = QueueFull("a", 1, 1), AgentNotFound("b")


@pytest.fixture
def refusals():
    """None waits yet."""
    return KeptRefusals()


def seen(page):
    return [(r.sequence, r.count) for r in page[0]]


def test_there_is_nothing_to_store_before_the_first(refusals):
    """Most sources are never refused anything, and cost no bytes."""
    refusals.keep(10)
    assert refusals.encoded() is None


def test_they_are_numbered_by_their_sequences_and_neighbours_become_one(refusals):
    """In whatever order they were made; the first word on a sequence stands."""
    for sequence, error in [(7, FULL), (2, FULL), (3, FULL), (4, UNKNOWN), (3, UNKNOWN), (6, FULL)]:
        refusals.add(sequence, 1, error)
    page = refusals.page_to(9)
    assert (seen(page), page[1]) == ([(2, 2), (4, 1), (6, 2)], None)


def test_what_is_numbered_does_not_grow_any_more(refusals):
    """The file may have it as it was."""
    refusals.add(1, 1, FULL)
    refusals.keep(1)
    refusals.add(2, 1, FULL)
    assert seen(refusals.page_to(2)) == [(1, 1), (2, 1)]


def test_a_page_ends_where_the_file_ends(refusals):
    """The lowest refused sequence beyond it is named, whether it has a number or not."""
    for sequence in (1, 3, 5):
        refusals.add(sequence, 1, FULL)
    assert (seen(refusals.page_to(3)), refusals.page_to(3)[1]) == ([(1, 1), (3, 1)], 5)
    refusals.keep(5)
    assert (seen(refusals.page_to(3)), refusals.page_to(3)[1]) == ([(1, 1), (3, 1)], 5)
    assert refusals.page_to(5)[1] is None


def test_a_page_holds_256(refusals):
    """The next one follows when these are confirmed."""
    for sequence in range(2, 2_000, 2):
        refusals.add(sequence, 1, FULL)
    page, unfit = refusals.page_to(2_000)
    assert (len(page), unfit) == (MAX_REFUSALS, 514)
    assert not refusals.confirm(257)
    assert refusals.confirm(256)
    assert seen(refusals.page_to(2_000))[0] == (514, 1)


@given(
    rounds=st.lists(
        st.tuples(st.lists(st.tuples(st.integers(1, 30), st.booleans())), st.integers(0, 40), st.booleans()),
        max_size=8,
    )
)
def test_a_successor_goes_on_with_the_same_numbers(rounds):
    """Every refusal is told under one number and with one content, whichever lives tell it."""
    refusals, base = KeptRefusals(), 0
    told = {}
    for new, confirmed, dies in rounds:
        for offset, is_full in new:
            refusals.add(base + offset, 1, FULL if is_full else UNKNOWN)
        base += 30
        refusals.keep(base)
        page, unfit = refusals.page_to(base)
        assert unfit is None
        for number, refusal in enumerate(page, refusals.confirmed):
            assert told.setdefault(number, refusal) == refusal
        assert refusals.confirm(min(refusals.confirmed + confirmed, len(told)))
        if dies:
            refusals = KeptRefusals(refusals.encoded())
        assert refusals.confirmed + len(refusals) == len(told)
    sequences = [s for r in told.values() for s in range(r.sequence, r.sequence + r.count)]
    assert sequences == sorted(set(sequences))
