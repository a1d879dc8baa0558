"""What the file knows of conversations, commit by commit."""

from itertools import count

import pytest

from caxton.acl.envelope import Envelope, Opening
from caxton.conversations import delta
from caxton.conversations.record import Record
from caxton.store.commit import Commit
from caxton.store.recovered import ConversationDeltas
from workers.conversations import log as bounds
from workers.conversations.log import ConversationLog


class File:
    """A log, and the rows that its commits leave in a file."""

    def __init__(self):
        self.numbers = count(1)
        self.log = ConversationLog(lambda: next(self.numbers))
        self.rows = {}

    def commit(self, *, tend=False):
        commit = Commit()
        if tend:
            self.log.tend(commit)
        self.log.close(commit)
        for row in commit.conversations:
            self.rows[row.number] = row
        for number in commit.conversations_gone:
            del self.rows[number]
        return len(commit.conversations)

    def successor(self):
        """The log that a successor begins with, and the conversations that it finds."""
        other = ConversationLog(lambda: next(self.numbers))
        found = other.restore(
            [ConversationDeltas(n, len(row.records), delta.decode(row.records)) for n, row in self.rows.items()], 4
        )
        return other, found


@pytest.fixture
def file():
    return File()


def record(number, initiator=5):
    return Record(number.to_bytes(16, "big"), initiator, number, 1_800, Opening(), 4)


def say(file, one, number):
    one.note(Envelope(number.to_bytes(16, "big"), 7, 5, 6, b"x", created_at=number), number)
    one.save()
    file.log.touch(one)


def test_a_commit_has_one_row_whatever_was_said(file):
    """However many conversations and messages; and none when nothing was said."""
    assert file.commit() == 0
    records = [record(number) for number in range(50)]
    for one in records:
        say(file, one, 1)
        say(file, one, 2)
    assert (file.commit(), len(file.log)) == (1, 1)
    assert file.commit() == 0
    assert [(r.messages, len(r.last(9))) for r in file.successor()[1]] == [(2, 2)] * 50


def test_a_row_goes_with_the_last_conversation_that_begins_in_it(file):
    """Short conversations leave nothing behind: no row each, and no work but to delete what all of them shared."""
    first, second = record(1), record(2)
    say(file, first, 1)
    file.commit()
    say(file, second, 2)
    say(file, first, 3)
    file.commit()
    file.log.forget(second)
    file.commit(tend=True)
    assert len(file.rows) == 2  # the first conversation needs both
    file.log.forget(first)
    file.commit(tend=True)
    assert (file.rows, file.log.size, len(file.log)) == ({}, 0, 0)


def test_the_oldest_rows_are_folded(file, monkeypatch):
    """Where all rows are too large, what is kept and begins in the oldest is written anew, and they go."""
    old = record(1)
    say(file, old, 1)
    file.commit()
    for number in range(2, 60):
        say(file, old, number)
        say(file, passing := record(number), number)
        file.commit()
        file.log.forget(passing)
    monkeypatch.setattr(bounds, "MOST_LOG_ROWS", 10)
    file.commit(tend=True)
    assert (len(file.rows), file.log.folded) == (1, 1)
    (found,) = file.successor()[1]
    assert (found.messages, [one.sent_at for one in found.last(9)]) == (59, [56, 57, 58, 59])


def test_bytes_of_all_rows_are_bounded(file, monkeypatch):
    """As their number is; what lives takes as much as it takes."""
    monkeypatch.setattr(bounds, "MOST_LOG_BYTES", 2_000)
    one = record(1)
    for number in range(200):
        say(file, one, number)
        file.commit(tend=True)
        assert sum(len(row.records) for row in file.rows.values()) == file.log.size <= 3_000
    assert file.successor()[1][0].messages == 200


def test_a_successor_goes_on_where_the_log_ended(file, monkeypatch):
    """It knows which rows are needed, also after they were folded."""
    first, second = record(1), record(2)
    say(file, first, 1)
    file.commit()
    say(file, second, 2)
    file.commit()
    file.log, (first, second) = file.successor()
    say(file, first, 3)
    file.commit()
    file.log.forget(second)
    monkeypatch.setattr(bounds, "MOST_LOG_ROWS", 1)
    file.commit(tend=True)
    assert len(file.rows) == 1
    (found,) = file.successor()[1]
    assert (found.conversation_id, found.messages) == (first.conversation_id, 2)


def test_conversations_of_one_id_stay_apart_in_the_file(file, monkeypatch):
    """Each is that of who opened it, in deltas and when they are written anew."""
    one, other = record(1, initiator=5), record(1, initiator=9)
    for number in range(6):
        say(file, one, number)
        if number % 2:
            say(file, other, 10 + number)
        file.commit()
    found = {r.initiator: r for r in file.successor()[1]}
    assert {opener: (r.messages, r.last(1)[0].sent_at) for opener, r in found.items()} == {5: (6, 5), 9: (3, 15)}
    file.log, records = file.successor()
    say(file, next(r for r in records if r.initiator == 9), 20)
    monkeypatch.setattr(bounds, "MOST_LOG_ROWS", 1)
    file.commit(tend=True)
    assert {r.initiator: r.messages for r in file.successor()[1]} == {5: 6, 9: 4}


def test_what_was_written_when_an_id_had_one_conversation_is_read(file):
    """A delta without a head belonged to the one that the file told of last."""
    (begun,), (more,) = (
        delta.decode(delta.encode([one := record(1)])),
        [delta.Delta(one.conversation_id, 3, 30, 7, [])],
    )
    known = delta.Known(4)
    assert [known.take(begun)[1], known.take(more)[1]] == [True, False]
    assert [(r.initiator, r.messages) for r in known.records] == [(5, 3)]
