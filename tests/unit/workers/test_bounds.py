import pytest

from workers.agents.mailbox import weight
from workers.queues.bounds import (
    IN_LINE,
    MUCH,
    ROOT_EVERY,
    ROOT_SURELY,
    SOME,
    credit_ends,
    turns_for_roots,
)

MOST = 16


@pytest.mark.parametrize(("size", "weighs"), [(0, 1), (1_023, 1), (1_024, 2), (10 << 20, 10_241)])
def test_a_message_weighs_by_whole_kib(size, weighs):
    """A message counts 1, and 1 more for each whole KiB of its contents."""
    assert weight(size) == weighs


def test_credit_comes_back_well_below_where_it_ended():
    """At the bound credit goes on, beyond it ends, and it is given again below three quarters of it."""
    assert [credit_ends(value, 100, ended=False) for value in (100, 101)] == [False, True]
    assert [credit_ends(value, 100, ended=True) for value in (76, 75)] == [True, False]


@pytest.mark.parametrize(
    ("begun", "origins", "turns"),
    [
        (0, 0, MOST),
        (IN_LINE - 1, 1, 1),
        (IN_LINE // 4 - 2, 4, 2),
        (0, 2 * IN_LINE, 1),
    ],
)
def test_roots_have_what_is_left_of_their_agents_part(begun, origins, turns):
    """All origins have the same part of what may be in line, at least one, and an agent begins up to its own."""
    assert turns_for_roots(MOST, begun, origins, 0, 1, beside_effects=False) == turns


def test_roots_have_a_turn_in_eight_beside_effects():
    """Of a quantum an eighth is for roots, and where turns come one by one, one of eight."""
    assert turns_for_roots(MOST, 0, 1, 0, 1, beside_effects=True) == MOST // ROOT_EVERY
    given = [turns_for_roots(1, 0, 1, 0, visit, beside_effects=True) for visit in range(8_000)]
    assert sum(given) == pytest.approx(1_000, abs=2)


def test_what_waits_for_other_shards_slows_roots_down():
    """From the first bound on there is one root at a time, from the second on at every eighth."""
    assert turns_for_roots(MOST, 0, 1, SOME - 1, 1, beside_effects=False) == MOST
    assert turns_for_roots(MOST, 0, 1, SOME, 1, beside_effects=False) == 1
    given = [turns_for_roots(MOST, 0, 1, MUCH, visit, beside_effects=False) for visit in range(8_000)]
    assert sum(given) == pytest.approx(1_000, abs=2)


@pytest.mark.parametrize("agents", [1, 3, 16, 64, 128, 512, 1_000, 1_024, 4_096])
def test_nobody_starves_in_a_round_of_any_length(agents):
    """Whoever comes to its turn at every so many visits has a root in the end, whatever it has begun."""
    for place in {0, 1, agents // 2, agents - 1}:
        visits = range(place, place + 8 * ROOT_SURELY * agents, agents)
        assert any(turns_for_roots(MOST, IN_LINE, 1, 0, visit, beside_effects=True) for visit in visits)
