from hypothesis import given
from hypothesis import strategies as st

from caxton.supervisor.workforce.settling import MOST_ROUNDS_FOR_CLIENTS, Flow, Settling, flow_between, on_the_way

LIVING = frozenset({1, 2})


def closed_round(settling, flow, idle=(True, True), clients_are_done=True):
    for incarnation, is_idle in zip(sorted(LIVING), idle, strict=True):
        settling.heard(incarnation, idle=is_idle)
    assert settling.round_complete(LIVING)
    return settling.at_rest(LIVING, flow, lambda: clients_are_done)


def test_two_equal_rounds_settle():
    """Rest is decided by the second round in which all are idle, emitted equals taken, and nothing moved between."""
    settling = Settling()

    assert not closed_round(settling, Flow(7, 7))
    assert closed_round(settling, Flow(7, 7))


def test_what_moved_between_two_rounds_starts_anew():
    """Two balanced rounds with different totals decide nothing: something moved in between."""
    settling = Settling()

    assert not closed_round(settling, Flow(7, 7))
    assert not closed_round(settling, Flow(9, 9))
    assert closed_round(settling, Flow(9, 9))


def test_a_busy_worker_or_a_message_on_its_way_starts_anew():
    """A worker that is not idle, or a message that is on its way, makes the rounds before it worthless."""
    settling = Settling()

    assert not closed_round(settling, Flow(7, 7))
    assert not closed_round(settling, Flow(7, 7), idle=(True, False))
    assert not closed_round(settling, Flow(7, 7))
    assert not closed_round(settling, Flow(8, 7))
    assert not closed_round(settling, Flow(7, 7))
    assert closed_round(settling, Flow(7, 7))


def test_workers_at_rest_wait_for_clients():
    """While clients do not know, or more is on its way, rest is not the end of a drain; but some rounds later it is."""
    settling = Settling()
    closed_round(settling, Flow(7, 7))

    assert not closed_round(settling, Flow(7, 7), clients_are_done=False)
    assert closed_round(settling, Flow(7, 7))

    stopped = Settling()
    closed_round(stopped, Flow(7, 7))
    rounds = [closed_round(stopped, Flow(7, 7), clients_are_done=False) for _ in range(MOST_ROUNDS_FOR_CLIENTS + 1)]
    assert rounds == [False] * MOST_ROUNDS_FOR_CLIENTS + [True]


def test_what_is_on_the_way_between_clients_and_living_workers_counts():
    """What either end says it sent counts less what the other took; what goes to or came from the dead does not."""
    sessions = {101: {1: (9, 0), 2: (5, 5), 7: (4, 0)}, 102: {1: (3, 0)}}
    workers = {1: {101: (0, 6)}, 2: {101: (7, 8)}}

    assert on_the_way(sessions, workers) == 3 + 3 + 2


def test_a_round_waits_for_every_living_worker():
    """A round is complete once each living worker has reported since the last one; the dead need not."""
    settling = Settling()
    settling.heard(1, idle=True)

    assert not settling.round_complete(LIVING)
    assert settling.round_complete({1})


@given(
    st.dictionaries(st.integers(1, 6), st.dictionaries(st.integers(1, 9), st.tuples(st.integers(0), st.integers(0))))
)
def test_only_links_between_the_living_flow(totals):
    """What the living exchanged with the dead, with sessions or with themselves is left out."""
    flow = flow_between(totals)

    between = [totals[a][b] for a in totals for b in totals[a] if b in totals and a != b]
    assert flow == Flow(sum(pair[0] for pair in between), sum(pair[1] for pair in between))
