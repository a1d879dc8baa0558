"""The join of what several shards saw of a conversation."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import Opening
from caxton.conversations.summary import Summary
from caxton.conversations.view import MOST_TOLD, ConversationView, join, join_all

CONVERSATION = bytes(range(16))
summaries = st.lists(
    st.builds(
        Summary, st.binary(min_size=16, max_size=16), st.just(7), st.just(5), st.just(6), st.integers(0, 3), st.just(1)
    ),
    max_size=4,
    unique_by=lambda one: one.message_id,
)


@st.composite
def views(draw, shard):
    moment = st.integers(0, 3)
    return ConversationView(
        CONVERSATION,
        draw(st.integers(1, 3)),
        tuple(sorted(draw(st.sets(st.integers(1, 6), min_size=1)))),
        draw(st.integers(0, 4)),
        draw(st.sampled_from(["", "a", "b"])),
        draw(st.integers(0, 9)),
        draw(st.integers(0, 9)),
        draw(moment),
        draw(moment),
        draw(moment),
        draw(st.sampled_from([None, "a", "b"])),
        draw(st.integers(0, 2)),
        Opening(turns=draw(st.integers(0, 2))),
        tuple(sorted(draw(summaries), key=lambda one: (one.sent_at, one.message_id))),
        (shard,),
        draw(st.booleans()),
    )


@given(views(0), views(1), views(2))
def test_the_order_of_joins_does_not_matter(one, two, three):
    """Whoever is asked first, and whoever joins what: the same conversation comes of it."""
    assert len({join_all(list(some)) for some in permutations((one, two, three))}) == 1
    assert join(join(one, two), three) == join(one, join(two, three))


@given(views(0), views(1))
def test_a_join_has_all_that_its_parts_have(one, other):
    """Participants unite, counts add, the last activity is the later one, and the higher state holds."""
    joined = join(one, other)
    assert set(joined.members) == {*one.members, *other.members}
    assert (joined.messages, joined.size) == (one.messages + other.messages, one.size + other.size)
    assert joined.last_activity == max(one.last_activity, other.last_activity)
    assert joined.opened_at == min(one.opened_at, other.opened_at)
    known = {(v.resumed, v.state_number, v.detail) for v in (one, other)}
    assert (joined.resumed, joined.state_number, joined.detail) == max(known)
    assert len(joined.history) == len(one.history) + len(other.history)
    assert joined.is_archived == (one.is_archived and other.is_archived)


def test_a_join_tells_what_was_said_in_its_order():
    """Each shard remembers its own agents' part; an answer of the same millisecond stands behind its question."""
    question, answer = Summary(b"q" * 16, 7, 5, 6, 1, 1), Summary(b"a" * 16, 7, 6, 5, 1, 1, b"q" * 16)
    one = ConversationView(CONVERSATION, 5, (5,), 0, "", 1, 1, 1, 1, 1, history=(answer,))
    other = ConversationView(CONVERSATION, 5, (6,), 0, "", 1, 1, 1, 1, 1, history=(question,))
    assert join(one, other).history == (question, answer)


def test_a_history_that_is_told_is_bounded():
    """The oldest of what all shards remember are left out."""
    some = [Summary(n.to_bytes(16, "big"), 7, 5, 6, n, 1) for n in range(2 * MOST_TOLD)]
    parts = [ConversationView(CONVERSATION, 5, (5,), 0, "", 1, 1, 1, 1, 1, history=tuple(some[n::2])) for n in (0, 1)]
    assert join_all(parts).history == tuple(some[-MOST_TOLD:])
