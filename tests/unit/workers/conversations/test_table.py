"""The conversations of a shard within their bounds."""

import pytest

from caxton.acl.envelope import Opening
from caxton.conversations.record import Record
from caxton.conversations.state import State
from workers.conversations import table as bounds
from workers.conversations.table import ARCHIVED_MS, AT_ONCE, Table


def record(number, timeout_s=1_800, opened_ms=None, initiator=None, **limits):
    initiator = 5 + number % 20 if initiator is None else initiator
    one = Record(
        number.to_bytes(16, "big"),
        initiator,
        number if opened_ms is None else opened_ms,
        timeout_s,
        Opening(**limits),
        4,
    )
    one.due_ms = one.opened_ms + timeout_s * 1_000
    one.begun_here = True
    return one


@pytest.fixture
def forgotten():
    return []


@pytest.fixture
def make_table(forgotten):
    return lambda most=10_000: Table(forgotten.append, lambda _agent: True, most)


def weighs(table):
    """What the table's figures should be, worked out anew."""
    return sum(r.weight for r in table.live.values()), sum(r.weight for r in table.archived.values())


def test_the_oldest_go_where_there_is_no_room(make_table):
    """Those that were opened first expire, whatever time they had, a thousand at once."""
    table = make_table(most=3_000)
    for number in range(3_000):
        table.open(record(number, timeout_s=300 if number % 3 else 86_400))
    assert not table.has_room
    assert table.make_room(0) == AT_ONCE
    assert sorted(r.opened_ms for r in table.live.values()) == list(range(AT_ONCE, 3_000))
    assert {r.state for r in table.archived.values()} == {State.EXPIRED}
    assert (table.size, table.archived_size) == weighs(table)


def test_who_opens_the_most_makes_room_with_its_own(make_table):
    """One that opens ever more lets its own oldest expire, and those of all others go on, however old they are."""
    table = make_table(most=3_000)
    for number in range(400):
        table.open(record(number, initiator=number))
    for number in range(400, 20_000):
        if not table.has_room:
            table.make_room(0)
        table.open(record(number, initiator=9_999))
    assert {r.opened_ms for r in table.live.values()} >= set(range(400))
    assert len(table.live) <= 3_000
    assert (table.size, table.archived_size) == weighs(table)


def test_who_has_few_makes_no_room_for_several_that_have_many(make_table):
    """Ten that open ever more, none of whom has an eighth, let their own expire, and nobody else's."""
    table = make_table(most=3_000)
    for number in range(100):
        table.open(record(number, initiator=number))
    for number in range(100, 20_000):
        if not table.has_room:
            assert table.make_room(0) == AT_ONCE
        table.open(record(number, initiator=9_000 + number % 10))
    assert {r.opened_ms for r in table.live.values()} >= set(range(100))
    assert (table.size, table.archived_size) == weighs(table)


def test_whoever_has_ended_leaves_nothing(make_table):
    """Of initiators whose conversations are over nothing is kept."""
    table = make_table()
    for number in range(100):
        table.open(one := record(number, initiator=number))
        table.weigh(one)
        table.archive(one, 0)
    assert (table.size, table._by_initiator, table._size_of, table._by_timeout) == (0, {}, {}, {})


def test_a_table_is_full_at_its_bounds(forgotten):
    """In number and in bytes: there is no room for one more."""
    table = Table(forgotten.append, lambda _agent: True)
    assert table.has_room
    table.size = bounds.MOST_BYTES
    assert not table.has_room
    table.size = 0
    table.live = dict.fromkeys(range(bounds.MOST_CONVERSATIONS))
    assert not table.has_room


def test_bytes_are_bounded_too(make_table, monkeypatch):
    """Conversations with long histories are fewer."""
    monkeypatch.setattr(bounds, "MOST_BYTES", 100_000)
    table = make_table()
    while table.has_room:
        table.open(record(len(table.live), keeps_contents=True))
    few = len(table.live)
    table = make_table()
    while table.has_room:
        table.open(record(len(table.live)))
    assert 1 < few < len(table.live) < 100


def test_a_million_that_are_left_take_no_more_than_a_few(make_table, forgotten):
    """Whoever opens conversations and leaves them makes the oldest go, and the table stays as it is."""
    table = make_table(most=2_000)
    most = 0
    for number in range(30_000):
        if not table.has_room:
            table.make_room(number)
        table.open(record(number, timeout_s=300 + number % 7))
        most = max(most, len(table.live))
    assert most == 2_000
    assert len(table.archived) <= bounds.MOST_ARCHIVED
    assert len(table.live) + len(table.archived) + len(forgotten) == 30_000
    assert (table.size, table.archived_size) == weighs(table)
    assert table.created == 30_000


def test_those_that_ended_are_kept_within_bounds(make_table, forgotten, monkeypatch):
    """In number and in bytes: the one that ended first is forgotten first."""
    monkeypatch.setattr(bounds, "MOST_ARCHIVED", 3)
    table = make_table()
    for number in range(5):
        table.open(one := record(number))
        one.end(State.COMPLETED, "done")
        table.archive(one, number)
    assert [r.opened_ms for r in forgotten] == [0, 1]
    monkeypatch.setattr(bounds, "MOST_ARCHIVED_BYTES", 2 * one.weight)
    table.open(last := record(9))
    table.archive(last, 9)
    assert [r.opened_ms for r in table.archived.values()] == [4, 9]
    assert (table.size, table.archived_size) == weighs(table)


def test_what_ended_an_hour_ago_is_forgotten(make_table, forgotten):
    """By the served time, and not before."""
    table = make_table()
    for number in range(3):
        table.open(one := record(number))
        table.archive(one, number * 1_000)
    table.sweep(ARCHIVED_MS - 1)
    assert not forgotten
    table.sweep(ARCHIVED_MS + 1_000)
    assert [r.opened_ms for r in forgotten] == [0, 1]


def test_each_is_due_in_its_time(make_table):
    """Whichever was opened first: what has less time is due before."""
    table = make_table()
    for number, timeout_s in enumerate((900, 300, 600, 300)):
        table.open(record(number, timeout_s))
    assert table.due(299_999) == []
    assert [r.opened_ms for r in table.due(300_001)] == [1]
    assert sorted(r.opened_ms for r in table.due(600_002)) == [1, 2, 3]
    assert len(table.due(900_000)) == 4


def test_what_goes_on_again_is_as_if_it_had_not_ended(make_table):
    """The table's totals are what they were."""
    table = make_table()
    table.open(one := record(1))
    one.messages, one.last_ms = 3, 11
    table.archive(one, 5)
    assert (table.durations_ms, table.messages) == (10, 3)
    one.due_ms = 9_000
    table.revive(one)
    assert (table.durations_ms, table.messages, table.created, list(table.live.values())) == (0, 0, 1, [one])
    assert (table.due(9_000), table.archived_size) == ([one], 0)
    table.archive(one, 6)
    table.archive(one, 7)
    assert list(table.archived.values()) == [one]
