"""Books that are none, or no longer: whatever stands in the place of one, a reader neither waits nor believes it."""

import os
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton.errors import StorageError
from caxton.links.ledger import Totals
from caxton.store import book_layout as at
from caxton.store import books
from caxton.store.books import Book, read
from caxton.store.directory_lock import is_locked

COUNTERS = ("run", "queued", "lost on the way")
LAYOUT = at.Layout.of(COUNTERS, {"turn": 5}, 4)


@pytest.fixture
def path(tmp_path):
    """A finished book of owner 7, with two commits in it."""
    path = tmp_path / "book"
    make(path)
    return path


def make(path):
    book = Book.create(path, 7, COUNTERS, peers=4, histograms={"turn": 5})
    book.emitted(3, 4)
    book.count("run", 9)
    book.commit()
    book.record("turn", 2)
    book.commit()
    book.close()


def write(path, word, *numbers):
    with path.open("r+b") as file:
        file.seek(word * at.WORD)
        file.write(at.array("Q", numbers).tobytes())


def test_a_file_that_is_not_there_is_an_error_with_its_path(path):
    """Errors of the operating system are mapped at the door."""
    path.unlink()
    with pytest.raises(StorageError, match=r"book.*No such file"):
        read(path)


def test_a_book_that_was_never_finished_is_known_as_such(path):
    """Its owner may have been killed before it wrote anything."""
    write(path, at.AT_MAGIC, 0)
    with pytest.raises(StorageError, match="never finished"):
        read(path)


@pytest.mark.parametrize("version", [1, 3])
def test_a_book_of_another_version_is_refused_by_its_number(path, version):
    """Nothing of it is guessed at."""
    write(path, at.AT_VERSION, version)
    with pytest.raises(StorageError, match=f"version {version} of the layout; this one reads 2"):
        read(path)


@pytest.mark.parametrize("word", [at.AT_OWNER, at.AT_CAPACITY, at.AT_SERIES, at.HEAD_WORDS, at.HEAD_WORDS + 5])
def test_a_head_or_a_table_that_was_changed_is_refused(path, word):
    """Owner, sizes, names and kinds are what was written, or nothing is believed."""
    write(path, word, 5)
    with pytest.raises(StorageError, match="damaged"):
        read(path)


def test_what_a_reader_does_not_know_it_leaves_out(path):
    """A series of a later kind is no obstacle to those beside it."""
    layout = at.Layout((at.Series("run", at.COUNTER, 1), at.Series("new", 7, 3), at.Series("queued", at.COUNTER, 1)), 4)
    front = layout.front(7)
    copy = at.array("Q", [0] * layout.copy_words)
    copy[at.SERIES_START : layout.rows_start] = at.array("Q", [1, 2, 3, 4, 5])
    copy[at.SEAL] = at.seal_of(copy)
    path.write_bytes(front.tobytes() + 2 * copy.tobytes())
    assert read(path).counters == {"run": 1, "queued": 5}


def test_two_rows_of_one_peer_are_damage(path):
    """A book speaks once of each link, whoever wrote it."""
    front = LAYOUT.front(7)
    front[at.AT_ROWS] = 2
    copy = at.array("Q", [0] * LAYOUT.copy_words)
    copy[LAYOUT.rows_start] = copy[LAYOUT.rows_start + at.ROW_WORDS] = 3
    copy[at.SEAL] = at.seal_of(copy)
    path.write_bytes(front.tobytes() + 2 * copy.tobytes())
    with pytest.raises(StorageError, match="two rows"):
        read(path)


@pytest.mark.parametrize("place", range(at.SEQUENCE, LAYOUT.copy_words - 1))
def test_a_seal_says_where_each_number_stands(place):
    """What one place has more and the next one less, as two commits that were mixed may have it, is another seal."""
    copy = at.array("Q", range(5, LAYOUT.copy_words + 5))
    whole = at.seal_of(copy)
    copy[place] -= 2
    copy[place + 1] += 2
    assert at.seal_of(copy) != whole


def test_more_rows_than_there_is_place_for_are_damage(path):
    """What says so is no size to read by."""
    write(path, at.AT_ROWS, 5)
    with pytest.raises(StorageError, match="5 rows in use, of 4"):
        read(path)


def test_the_copy_that_is_not_the_newest_means_nothing(path):
    """Whatever a dying owner left in it."""
    write(path, LAYOUT.copies[1] + at.SERIES_START, 1, 2, 3, 4, 5)
    assert read(path).counters["run"] == 9


def test_a_newest_copy_that_is_not_whole_is_damage_once_nothing_moves(path, monkeypatch):
    """The commit before it is not shown in its place, and nobody waits for an owner that does not write."""
    write(path, LAYOUT.copies[0] + at.SERIES_START, 8)
    pauses = []
    monkeypatch.setattr(books, "time", SimpleNamespace(sleep=pauses.append, monotonic=books.time.monotonic))
    with pytest.raises(StorageError, match="its newest copy is not whole"):
        read(path)
    assert len(pauses) == 1


def test_a_copy_older_than_the_newest_is_not_shown_for_it(path):
    """Where the stores into it are not seen yet, it is whole, and not what was committed last."""
    write(path, at.AT_NEWEST, 4)
    with pytest.raises(StorageError, match="its newest copy is not whole"):
        read(path)


def test_a_book_that_never_stands_still_is_given_up(path, monkeypatch):
    """After many readings and a time, and with pauses by then: the reader's patience is bounded."""
    monkeypatch.setattr(at, "is_whole", lambda copy, newest: write(path, at.AT_NEWEST, newest + 1))
    pauses, now = [], iter(range(10_000))
    clock = SimpleNamespace(sleep=pauses.append, monotonic=lambda: next(now) / 4)
    monkeypatch.setattr(books, "time", clock)  # and not the module's own, which other threads sleep by
    with pytest.raises(StorageError, match="cannot be read: it changed in each of 104 readings"):
        read(path)
    assert len(pauses) == 4


@pytest.mark.parametrize(
    "put",
    [
        pytest.param(os.mkfifo, id="FIFO"),
        pytest.param(os.mkdir, id="directory"),
        pytest.param(lambda path: path.symlink_to(path.with_name("other")), id="symlink"),
        pytest.param(lambda path: path.symlink_to(path), id="symlink to itself"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(path, put):
    """A FIFO without a writer would hold up whoever opens it; what is behind a link is somebody else's."""
    path.rename(path.with_name("other"))
    put(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read(path)
    assert not is_locked(path)


@pytest.mark.parametrize("size", [0, 8, 8 * at.HEAD_WORDS, LAYOUT.file_words * at.WORD - 1, 2**32])
def test_a_book_of_a_wrong_size_is_refused(path, size):
    """Cut short anywhere, or so large that nobody may read it as a whole."""
    os.truncate(path, size)
    with pytest.raises(StorageError, match="damaged"):
        read(path)


@given(
    place=st.integers(0, LAYOUT.copies[0] * at.WORD - 1) | st.integers(0, LAYOUT.file_words * at.WORD - 1),
    byte=st.integers(0, 255),
    cut=st.none() | st.integers(0, LAYOUT.file_words * at.WORD),
)
@settings(max_examples=3 * settings().max_examples)
def test_a_damaged_book_says_what_was_written_or_nothing(tmp_path_factory, place, byte, cut):
    """One byte changed anywhere, and perhaps cut short: StorageError, or what its owner committed last."""
    path = tmp_path_factory.mktemp("books") / "book"
    make(path)
    raw = bytearray(path.read_bytes())
    raw[place] = byte
    path.write_bytes(raw[:cut])
    with suppress(StorageError):
        found = read(path)
        assert (found.counters["run"], found.links) == (9, {3: Totals(4, 0)})
