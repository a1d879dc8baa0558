"""Refusals that wait to be seen."""

import pytest

from caxton.errors import AgentFailure, AgentNotFound, QueueFull, RoutingError, from_fields
from caxton.links.refusals import LOST, MOST_WAITING, UNTOLD, Refusals, is_loss
from caxton.wire.codec import CONTROL
from caxton.wire.link_state import MAX_REFUSALS


@pytest.fixture
def refusals():
    """None waits yet."""
    return Refusals()


def seen(refusals):
    return [(r.sequence, r.count) for r in refusals.page()[0]]


def test_neighbours_with_the_same_error_become_one(refusals):
    """Another error, other fields or a gap begin a new one."""
    for sequence, error in [
        (1, QueueFull("a", 1, 1)),
        (2, QueueFull("a", 1, 1)),
        (3, QueueFull("b", 1, 1)),
        (4, AgentNotFound("b")),
        (6, AgentNotFound("b")),
        (7, LOST),
        (8, RoutingError()),
        (9, AgentFailure()),
    ]:
        refusals.add(sequence, 1, error)
    assert seen(refusals) == [(1, 2), (3, 1), (4, 1), (6, 1), (7, 1), (8, 1), (9, 1)]


def test_one_that_was_told_does_not_grow_any_more(refusals):
    """The source may have seen it as it was."""
    error = QueueFull("a", 1, 1)
    refusals.add(1, 1, error)
    refusals.page()
    refusals.add(2, 1, error)
    refusals.add(3, 1, error)
    assert seen(refusals) == [(1, 1), (2, 2)]


def test_a_page_holds_256_and_names_the_lowest_sequence_beyond_it(refusals):
    """Also when they were not made in the order of their sequences."""
    for sequence in range(2, 2_000, 2):
        refusals.add(sequence, 1, AgentNotFound("a"))
    page, unfit = refusals.page()
    assert (len(page), unfit) == (MAX_REFUSALS, 514)
    refusals.add(1, 1, AgentNotFound("a"))
    assert refusals.page() == (page, 1)


def test_confirmed_refusals_are_forgotten_and_the_numbers_go_on(refusals):
    """Confirming fewer than before does nothing, more than were told is refused."""
    for sequence in range(2, 2_000, 2):
        refusals.add(sequence, 1, AgentNotFound("a"))
    assert not refusals.confirm(1)
    refusals.page()
    assert not refusals.confirm(257)
    assert refusals.confirm(256)
    assert refusals.confirm(3)
    assert (refusals.confirmed, len(refusals)) == (256, 999 - 256)
    assert seen(refusals)[0] == (514, 1)


def test_beyond_the_bound_only_the_range_is_kept(refusals):
    """It says that nobody knows which of these were refused, so none passes for placed."""
    for sequence in range(1, 2 * MOST_WAITING + 200, 2):
        refusals.add(sequence, 1, AgentNotFound("a"))
    assert len(refusals) == MOST_WAITING
    last = refusals._waiting[-1]
    assert (last.sequence, last.sequence + last.count - 1) == (2 * MOST_WAITING - 1, 2 * MOST_WAITING + 199)
    assert str(from_fields(last.error, last.fields)) == str(UNTOLD)
    assert not is_loss(last)


def test_a_full_page_of_refusals_travels_in_a_control_frame(refusals, state):
    """Fields of errors are plain values that the wire carries."""
    for sequence in range(1, 1_000, 2):
        refusals.add(sequence, 1, QueueFull(str(sequence), 1, 1))
    told = state(1, refusals=refusals.page()[0])
    assert CONTROL.decode(CONTROL.encode(told)) == told
