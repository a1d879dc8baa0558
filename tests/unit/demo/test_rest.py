"""When the runtime is at rest."""

import pytest

from caxton.demo.rest import Rest, incarnations, owed

QUIET = {
    "taken_from_sessions": 10,
    "taken_from_workers": 4,
    "emitted_to_sessions": 3,
    "emitted_to_workers": 4,
    "local": 5,
    "run": 19,
    "queued": 0,
    "parked": 0,
}


def stats(**changes):
    return {"totals": QUIET | changes, "workers": [{"shard": 0, "incarnation": 7}, {"shard": 1, "incarnation": 8}]}


def test_two_looks_alike_are_rest():
    """Nothing waits and nothing moved between two looks: that is rest, and one look is not."""
    rest = Rest(owed=0)
    assert [rest.look(stats()) for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize("name", [name for name in QUIET if name not in {"queued", "parked", "emitted_to_workers"}])
def test_what_moves_is_not_at_rest(name):
    """A counter that grew since the last look says that something still moves."""
    rest = Rest()
    rest.look(stats())
    assert not rest.look(stats(**{name: QUIET[name] + 1}))


@pytest.mark.parametrize("waiting", ["queued", "parked"])
def test_what_waits_is_not_at_rest(waiting):
    """A message in a mailbox, or of a paused agent, is still to come."""
    rest = Rest(owed=0)
    assert not any(rest.look(stats(**{waiting: 1})) for _ in range(3))


def test_what_is_on_the_way_is_not_at_rest():
    """A message that left one worker and has not reached the other is still to come."""
    rest = Rest(owed=0)
    assert not any(rest.look(stats(emitted_to_workers=5)) for _ in range(3))


def test_what_was_lost_before_we_came_is_not_waited_for():
    """A message between workers that never arrived, before this run, does not keep the runtime from rest."""
    before = stats(emitted_to_workers=6)
    rest = Rest(owed(before))
    assert [rest.look(before) for _ in range(2)] == [False, True]


def test_names_who_serves_each_shard():
    """The incarnation of each shard's worker is known."""
    assert incarnations(stats()) == {0: 7, 1: 8}
