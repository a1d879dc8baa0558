import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import MOST_WAITERS, Cause, Envelope, Rare, Waiters
from caxton.delivery.causes import (
    MOST_HOPS,
    MOST_ROOTS,
    MOST_WORK,
    Works,
    after,
    as_root,
    pass_waiters_on,
    waiters_of,
    waits_for_itself,
    while_handled,
)
from caxton.errors import HopLimitExceeded, WorkLimitExceeded

ROOT = b"r" * 16
NO_LIMIT = 100_000


def message(rare=None, cause=None):
    return Envelope(ROOT, 7, 1 << 63, 5, b"x", rare=rare, cause=cause)


def test_what_follows_knows_its_root_and_is_one_hop_further():
    """The root, the principal and the root's own limits stay; the hops grow by one."""
    first = after(message(Rare(max_hops=3, max_work=7)))
    assert first == Cause(1, ROOT, "", 3, 7)
    assert after(message(cause=first)) == Cause(2, ROOT, "", 3, 7)
    assert as_root(message(), "user") == Cause(0, ROOT, "user")
    assert after(message(cause=as_root(message(), "user"))) == Cause(1, ROOT, "user")


@pytest.mark.parametrize(("root", "agent", "most"), [(0, NO_LIMIT, MOST_HOPS), (3, NO_LIMIT, 3), (9, 2, 2), (0, 0, 0)])
def test_the_last_hop_passes_and_the_next_does_not(root, agent, most):
    """The limit is the root's, or the usual one, and the agent's own where that is lower."""
    works = Works()
    assert works.refusal(Cause(most, ROOT, "", root), 1, agent) is None
    refused = works.refusal(Cause(most + 1, ROOT, "", root), 1, agent)
    assert isinstance(refused, HopLimitExceeded)
    assert (refused.hops, refused.limit) == (most + 1, most)


@pytest.mark.parametrize(("own", "most"), [(0, MOST_WORK), (10, 10)])
def test_the_last_work_passes_and_what_is_beyond_counts_nothing(own, most):
    """A root may cause as much as its limit says, whatever others cause; what is refused takes nothing of it."""
    works = Works()
    cause = Cause(1, ROOT, "", 0, own)
    assert works.refusal(cause, most - 1, NO_LIMIT) is None
    refused = works.refusal(cause, 2, NO_LIMIT)
    assert isinstance(refused, WorkLimitExceeded)
    assert (refused.work, refused.limit) == (most + 1, most)
    assert works.refusal(cause, 1, NO_LIMIT) is None
    assert works.refusal(cause, 1, NO_LIMIT) is not None
    assert works.refusal(Cause(1, b"s" * 16, "", 0, own), most, NO_LIMIT) is None


def test_so_many_roots_are_known_and_as_many_before_them():
    """The roots of the latest work are known up to the bound, with as many that were known before; then those go."""
    works = Works()
    for number in range(3 * MOST_ROOTS):
        works.refusal(Cause(1, number.to_bytes(16)), 1, NO_LIMIT)
        assert len(works._now) <= MOST_ROOTS
    assert (len(works._now), len(works._before)) == (MOST_ROOTS, MOST_ROOTS)


def test_a_root_that_goes_on_is_never_forgotten():
    """However many others come between, the work of one that works on is known; only so many are known at once."""
    works, most = Works(4), 50
    cause = Cause(1, ROOT, "", 0, most)
    for number in range(most):
        assert works.refusal(cause, 1, NO_LIMIT) is None
        for other in range(3):
            assert works.refusal(Cause(1, bytes([number, other]) * 8), 1, NO_LIMIT) is None
        assert len(works._now) + len(works._before) <= 2 * 4
    assert isinstance(works.refusal(cause, 1, NO_LIMIT), WorkLimitExceeded)


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=5, max_size=5), st.integers(1, 8), st.integers(1, 60))
def test_every_graph_ends(edges, most_hops, most_work):
    """Whatever agents tell each other, each message and each refusal, what follows from one root is bounded."""
    works, root = Works(), message(Rare(max_hops=most_hops, max_work=most_work))
    waiting, turns = [(0, root, False)], 0
    while waiting:
        agent, handled, automatic = waiting.pop()
        turns += 1
        cause = after(handled)
        refused = works.refusal(cause, len(edges[agent]), NO_LIMIT) if edges[agent] else None
        if refused is None:
            waiting += [(to, message(cause=cause), False) for to in edges[agent]]
        elif not automatic:  # each of them is refused, and the agent is told
            waiting += [(agent, message(cause=after(message(cause=cause))), True) for _ in edges[agent]]
    assert turns <= 1 + most_work + 4 * (1 + most_work)


def awaited(number, *waiters, asks=None, answers=None):
    """A message whose answer is waited for by the handlers of others, by their numbers."""
    cause = Cause(1, ROOT, waiters=Waiters(tuple(map(ident, waiters)))) if waiters else None
    return Envelope(ident(number), 7, 1 << 63, 5, b"", asks, answers, cause=cause)


def ident(number):
    return number.to_bytes(16)


def test_who_handles_a_message_waits_with_those_who_wait_for_it():
    """What is asked while a message is handled is one hop further, and its handler is the last of those who wait."""
    assert while_handled(message(Rare(max_hops=3))) == Cause(1, ROOT, "", 3, waiters=Waiters((ROOT,)))
    assert while_handled(awaited(3, 1, 2)) == Cause(2, ROOT, waiters=Waiters((ident(1), ident(2), ident(3))))
    assert after(awaited(3, 1, 2)).waiters is None


def test_so_many_that_wait_are_known_and_of_more_the_last():
    """Of a longer chain of handlers the first is forgotten."""
    handled = awaited(MOST_WAITERS, *range(MOST_WAITERS))
    assert waiters_of(Envelope(ROOT, 7, 1, 5, b"", cause=while_handled(handled))) == tuple(
        map(ident, range(1, MOST_WAITERS + 1))
    )


@pytest.mark.parametrize(
    ("asked_with", "answers", "asks", "passed"),
    [(b"t" * 16, None, b"u" * 16, (1, 2)), (b"t" * 16, None, None, ()), (None, None, b"u" * 16, ())],
)
def test_what_a_turn_asks_instead_of_answering_is_waited_for(asked_with, answers, asks, passed):
    """Who waits for an answer waits for what the turn asks that has not answered, and for nothing else of it."""
    handled, sent = awaited(3, 1, 2, asks=asked_with), awaited(4, asks=asks, answers=answers)
    sent.cause = after(handled)
    pass_waiters_on(handled, [sent])
    assert waiters_of(sent) == tuple(map(ident, passed))


def test_who_has_its_answer_waits_no_more():
    """A turn that answers asks on nobody's behalf."""
    handled, asked = awaited(3, 1, asks=b"t" * 16), awaited(4, asks=b"u" * 16)
    asked.cause = after(handled)
    pass_waiters_on(handled, [asked, awaited(5, answers=b"t" * 16)])
    assert waiters_of(asked) == ()


@pytest.mark.parametrize(
    ("waiters", "others", "concurrency", "is_deadlock"),
    [
        ((), [], 1, False),  # it waits for its turn
        ((9,), [], 1, False),  # a handler of another agent waits
        ((1,), [], 1, True),
        ((9, 1, 8), [], 1, True),
        ((1,), [], 2, False),
        ((1, 2), [], 2, True),
        ((1,), [(2,)], 2, True),  # each of both waits for one of two that have no place
        ((1,), [(1,), (9,), ()], 2, False),
        ((9,), [(1,), (2,)], 2, False),
        ((1,), [(2,), (3,)], 3, True),
    ],
)
def test_an_agent_waits_for_itself_when_all_its_handlers_do(waiters, others, concurrency, is_deadlock):
    """A message never has its turn if all that an agent handles waits for it, and for others that wait like it."""
    under_way = {ident(1), ident(2), ident(3)}
    behind = [awaited(20 + n, *each) for n, each in enumerate(others)]
    assert waits_for_itself(awaited(10, *waiters), under_way, behind, concurrency) is is_deadlock
