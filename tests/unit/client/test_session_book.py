import os

import pytest

from caxton.client.session.session_book import ENDED_KEPT, SessionBook
from caxton.ids import SESSION_BIT
from caxton.store import books
from caxton.store.directory_lock import is_locked


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session.book"


def test_a_session_that_ends_is_unlocked_whoever_has_a_copy_of_the_lock(path):
    """`close` lets go of the lock for every process that shares it; closing twice is fine."""
    book = SessionBook(path, SESSION_BIT | 1)
    copy = os.dup(book._lock)
    assert is_locked(path)

    book.close()
    book.close()

    assert not is_locked(path)
    os.close(copy)


def test_who_abandons_a_book_leaves_it_locked(path):
    """`abandon` gives up this process's part of the lock, and the others keep theirs; `close` after it is fine."""
    book = SessionBook(path, SESSION_BIT | 1)
    parents = os.dup(book._lock)

    book.abandon()
    book.close()

    assert is_locked(path)
    os.close(parents)
    assert not is_locked(path)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_book_knows_whether_it_has_its_name(path, how):
    """A file that somebody removed, or put another in the place of, is in place no more."""
    book = SessionBook(path, SESSION_BIT | 1)
    assert book.is_in_place

    path.unlink()
    if how == "replaced":
        path.touch()

    assert not book.is_in_place
    book.close()


def test_rows_of_workers_that_ended_are_bounded(path):
    """The rows of the last 128 workers that ended are kept; with one more the oldest goes."""
    book = SessionBook(path, SESSION_BIT | 1)
    for incarnation in range(1, ENDED_KEPT + 2):
        book.emitted(incarnation, 1)
        book.commit()
        if incarnation <= ENDED_KEPT:
            book.end(incarnation)
    before = books.read(path).links
    book.end(ENDED_KEPT + 1)
    book.commit()
    after = books.read(path).links

    assert before.keys() - after.keys() == {1}
    assert len(after) == ENDED_KEPT
    book.close()
