"""What one shard knows of one conversation."""

from caxton.acl.envelope import Opening
from caxton.conversations.record import FIRST_PLACES, RECORD_BYTES, REMEMBERED_BYTES
from caxton.conversations.state import State
from caxton.conversations.summary import MAX_KEPT_CONTENT, SMALL, Summary


def numbers(record):
    return [int.from_bytes(one.message_id, "big") for one in record.last(100)]


def test_the_last_messages_are_remembered(make_record, said):
    """As many as its history, oldest first; in memory there are never more than twice as many."""
    record = make_record(history=4)
    for number in range(1, 101):
        record.note(said(number), number)
        assert numbers(record) == [n for n in range(number - 3, number + 1) if n > 0]
        assert len(record.recent) <= 8
    assert (record.messages, record.size, record.last_ms) == (100, 100, 100)


def test_a_record_without_a_history_remembers_nothing(make_record, said):
    """It counts all the same."""
    record = make_record(history=0)
    for number in range(1, 50):
        record.note(said(number), number)
    assert (record.last(100), record.messages) == ((), 49)
    assert len(record.recent) <= FIRST_PLACES


def test_it_says_when_it_weighs_more(make_record, said):
    """Its weight is that of the places that it has room for, and grows no more once there are two histories."""
    record = make_record(history=4)
    weights = {record.weight}
    for number in range(1, 50):
        before = record.weight
        assert record.note(said(number), number) == (record.weight != before)
        weights.add(record.weight)
    assert weights == {RECORD_BYTES + places * REMEMBERED_BYTES for places in (4, 8)}


def test_what_is_long_is_remembered_by_its_summary(make_record, said):
    """No content is pinned that is longer than 128 bytes, nor told where contents are not kept."""
    record = make_record()
    for number, size in enumerate((SMALL, SMALL + 1), 1):
        record.note(said(number, content=b"x" * size), number)
    assert type(record.recent[0]) is not Summary
    assert type(record.recent[1]) is Summary
    assert [(one.size, one.content) for one in record.last(9)] == [(SMALL, None), (SMALL + 1, None)]


def test_contents_are_kept_where_that_was_asked_for(make_record, said):
    """Up to 4,096 bytes of each, and a longer one is left out; each place weighs that much more."""
    record = make_record(keeps_contents=True)
    contents = [b"x", b"x" * MAX_KEPT_CONTENT, b"x" * (MAX_KEPT_CONTENT + 1)]
    for number, content in enumerate(contents, 1):
        record.note(said(number, content=content), number)
    assert [one.content for one in record.last(9)] == [*contents[:2], None]
    assert record.weight == RECORD_BYTES + FIRST_PLACES * (REMEMBERED_BYTES + MAX_KEPT_CONTENT)


def test_an_answer_of_another_lets_it_be_in_progress(make_record):
    """Whoever opened it may say as much as it likes: until somebody else speaks, it is initiated."""
    record = make_record(initiator=5)
    record.join(6)
    assert record.speaks(5)
    assert record.state is State.INITIATED
    assert record.speaks(6)
    assert record.state is State.IN_PROGRESS
    assert not record.speaks(6)


def test_each_limit_is_reached_at_its_number(make_record, said):
    """Hops and bytes may be as many as the limit, and turns; one more is beyond."""
    record = make_record(hops=2, turns=3, size=10)
    assert record.watched
    assert record.beyond(2, 10) is None
    assert record.beyond(3, 0) == ("hops", 2)
    record.turns = 2
    assert record.beyond(0, 0) is None
    record.turns = 3
    assert record.beyond(0, 0) == ("turns", 3)
    record.turns = 0
    record.note(said(1, content=b"four"), 1)
    assert record.beyond(0, 6) is None
    assert record.beyond(0, 7) == ("bytes", 10)


def test_limits_begin_anew_when_it_is_resumed(make_record, said):
    """What was said before is counted still, and not held against it."""
    record = make_record(turns=3, size=10)
    record.note(said(1, content=b"0123456789"), 1)
    record.turns = 3
    record.stop = ("turns", 3)
    record.end(State.FAILED, "so many")
    record.resume(9_000)
    assert (record.state, record.detail, record.stop, record.due_ms) == (State.INITIATED, "", None, 9_000)
    assert (record.beyond(0, 10), record.size, record.resumed, record.watched) == (None, 10, 1, True)
    record.turns = 6
    assert record.beyond(0, 0) == ("turns", 3)


def test_a_record_without_limits_is_looked_at_only_when_it_has_ended(make_record):
    """So that each of its messages costs no more than counting it."""
    record = make_record()
    assert not record.watched
    record.end(State.EXPIRED)
    assert record.watched
    record.speaks(6)
    record.resume(5)
    assert (record.watched, record.state) == (False, State.IN_PROGRESS)


def test_a_view_tells_what_the_record_holds(make_record, said):
    """With its history only where that is asked for."""
    record = make_record(turns=9)
    record.join(6)
    record.note(said(1), 1_500)
    view = record.view(3, 7_000, history=True, is_archived=False)
    assert (view.initiator, view.participants, view.state) == (5, (5, 6), "initiated")
    assert (view.messages, view.size, view.opened_at, view.last_activity, view.expires_at) == (
        1,
        1,
        1_000,
        1_500,
        7_000,
    )
    assert [one.sent_at for one in view.history] == [1]
    assert (view.shards, view.limits_given, view.limits.max_turns) == ((3,), Opening(turns=9), 9)
    assert record.view(3, 7_000, history=False, is_archived=False).history == ()
