"""Which one of those who can do it a message is for."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.capability import Balancing
from caxton.capabilities.candidates import Candidate, Candidates

ALL = list(Balancing)


def some(*told, dice=None):
    candidates = Candidates(dice or random.Random(5).random)
    for one in told:
        candidates.put(0, one)
    return candidates


@pytest.mark.parametrize("balancing", ALL)
def test_of_none_nobody_is_picked(balancing):
    """And of one, that one."""
    assert some().pick(balancing) is None
    assert some().pick_other(balancing, ()) is None
    assert some().pick_by(7) is None
    one = some(Candidate(5, 1))
    assert one.pick(balancing) == one.pick_other(balancing, ()) == one.pick_by(7) == 5


@pytest.mark.parametrize("balancing", ALL)
def test_whoever_is_picked_is_a_candidate(balancing):
    """Whatever the dice say, up to just below one."""
    for number in (0.0, 0.3, 0.5, 0.999_999_999_999):
        candidates = some(*(Candidate(n, 1 + n) for n in range(1, 8)), dice=lambda number=number: number)
        assert candidates.pick(balancing) in candidates
        assert candidates.pick_other(balancing, (1, 2)) in {3, 4, 5, 6, 7}


def test_round_robin_takes_each_in_turn():
    """Of five, in ten messages each has two."""
    candidates = some(*(Candidate(n, 1) for n in range(1, 6)))

    assert Counter(candidates.pick(Balancing.ROUND_ROBIN) for _ in range(10)) == dict.fromkeys(range(1, 6), 2)


def test_who_has_less_to_do_is_picked():
    """Of two that are drawn, by conversations, then by what waits."""
    dice = iter([0.0, 0.9] * 9)
    candidates = some(Candidate(1, 1, 1, 0), Candidate(2, 1, 0, 50), dice=lambda: next(dice))

    assert candidates.pick(Balancing.LEAST_CONNECTIONS) == 2


def test_what_was_sent_since_the_last_look_counts():
    """Of two with nothing to do, many messages are shared about evenly between two looks at their load."""
    candidates = some(Candidate(1, 1), Candidate(2, 1))

    picked = Counter(candidates.pick(Balancing.LEAST_CONNECTIONS) for _ in range(100))

    assert abs(picked[1] - picked[2]) <= 2


def test_a_look_at_the_load_forgets_what_was_sent():
    """Its shard has counted it since."""
    candidates = some(Candidate(1, 1), Candidate(2, 1, queued=3), dice=iter([0.0, 0.9] * 99).__next__)
    first = [candidates.pick(Balancing.LEAST_CONNECTIONS) for _ in range(4)]
    candidates.look_anew()

    assert first == [1, 1, 1, 1]
    assert candidates.pick(Balancing.LEAST_CONNECTIONS) == 1


def test_who_answers_sooner_is_picked_by_response_time():
    """Whatever waits for it."""
    candidates = some(
        Candidate(1, 1, queued=9, response_us=5), Candidate(2, 1, response_us=500), dice=iter([0.0, 0.9]).__next__
    )

    assert candidates.pick(Balancing.RESPONSE_TIME) == 1


def test_weights_are_kept():
    """Who has nine times the weight has about nine times the messages."""
    candidates = some(Candidate(1, 90), Candidate(2, 10))
    picked = Counter()
    for _ in range(10_000):
        picked[candidates.pick(Balancing.WEIGHTED)] += 1
        candidates.look_anew()

    assert 0.85 < picked[1] / 10_000 < 0.999


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(0, 2**64 - 1), st.data())
def test_a_number_picks_the_same_while_it_is_there(ids, number, data):
    """Whoever else comes or goes; and who was tried is not picked."""
    candidates = some(*(Candidate(n, 1) for n in ids))
    picked = candidates.pick_by(number)
    for gone in data.draw(st.sets(st.sampled_from(ids))) - {picked}:
        candidates.put(0, Candidate(gone, 0))

    assert candidates.pick_by(number) == picked
    other = candidates.pick_by(number, (picked,))
    assert other is None or other != picked


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 20), st.integers(0, 3)), max_size=60))
def test_it_holds_what_each_shard_said_last(told):
    """No shard takes out another's; each agent stands there once."""
    candidates, model = Candidates(lambda: 0.5), {}
    for shard, number, weight in told:
        agent = number * 3 + shard
        candidates.put(shard, Candidate(agent, weight))
        model.pop(agent, None)
        if weight:
            model[agent] = weight
    candidates.put(9, Candidate(3, 0))

    assert set(candidates.ids) == set(model)
    assert len(candidates) == len(model)
    assert {known.agent_id: known.weight for known in candidates._all} == model


def test_all_of_a_shard_takes_the_place_of_what_it_said():
    """And leaves what others said."""
    candidates = some(Candidate(1, 1), Candidate(2, 1))
    candidates.put(1, Candidate(3, 1))
    candidates.replace(0, [Candidate(2, 4), Candidate(5, 1)])

    assert set(candidates.ids) == {2, 3, 5}


def test_what_was_sent_counts_as_conversations_too():
    """Between two looks at their load the one with fewer conversations does not get all that comes."""
    candidates = some(Candidate(1, 1, active=5), Candidate(2, 1, active=2), dice=iter([0.0, 0.9] * 99).__next__)
    picked = Counter(candidates.pick(Balancing.LEAST_CONNECTIONS) for _ in range(13))

    assert picked[2] - picked[1] == 3
    candidates = some(Candidate(1, 1, active=5), Candidate(2, 1, active=2), dice=iter([0.9] * 8 + [0.0, 0.9]).__next__)
    assert [candidates.pick(Balancing.LEAST_CONNECTIONS) for _ in range(5)] == [2, 2, 2, 2, 1]
