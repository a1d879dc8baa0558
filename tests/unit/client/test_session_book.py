import os

import pytest

from caxton.client.session.session_book import SessionBook
from caxton.ids import SESSION_BIT
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
