"""The volatile books: read at every store, at random damage, beside a writer, and after its death."""

import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from caxton.errors import ResourceExhausted, StorageError
from caxton.links.ledger import Totals
from caxton.store import book_layout as at
from caxton.store.books import READ_TRIES, Book, read

COUNTERS = ("run", "queued", "lost on the way")
U64 = st.integers(0, 2**64 - 1)

WRITER = """
import sys
from pathlib import Path
from caxton.store.books import Book
book = Book.create(Path(sys.argv[1]), 7, ("run", "queued"))
print("made", flush=True)
number = 0
while True:
    number += 1
    book.count("run")
    book.gauge("queued", 3 * number)
    for peer in range(1, 6):
        book.emitted(peer, number * peer)
        book.taken(peer, number)
    book.emitted(1_000 + number % 9, number)
    book.forget(1_000 + (number - 1) % 9)
    book.commit()
"""


@pytest.fixture
def path(tmp_path):
    """Where a book may be made."""
    return tmp_path / "book"


@pytest.fixture
def book(path):
    """A small one of owner 7, closed after the test."""
    book = Book.create(path, 7, COUNTERS, peers=4)
    yield book
    book.close()


class Stores:
    """Passes the stores of a book on, one word at a time, and calls for a look after each."""

    def __init__(self, words, look):
        self.words = words
        self.look = look

    def __setitem__(self, place, value):
        if not isinstance(place, slice):
            place, value = slice(place, place + 1), [value]
        for word, number in zip(range(place.start, place.stop), value, strict=True):
            self.words[word] = number
            self.look()


class EveryStore(RuleBasedStateMachine):
    """A reader looks after every single store, as if the owner had been killed there."""

    def __init__(self):
        super().__init__()
        self.path = Path(mkdtemp()) / "book"
        self.book = Book.create(self.path, 7, COUNTERS, peers=4)
        self.book._words = Stores(self.book._words, self.look)
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.links = {}
        self.committed = self.next = self.as_read()
        self.seen_new = False

    def teardown(self):
        self.book.close()
        rmtree(self.path.parent)

    def as_read(self):
        return dict(self.counters), {peer: Totals(*totals) for peer, totals in self.links.items()}

    def look(self):
        found = read(self.path)
        now = (found.counters, found.links)
        assert found.owner == 7
        assert now in (self.committed, self.next), "a mixture of two commits"
        assert not (self.seen_new and now != self.next), "a commit that was visible is gone"
        self.seen_new = now == self.next

    @rule(name=st.sampled_from(COUNTERS), more=st.integers(0, 2**40))
    def count(self, name, more):
        if self.counters[name] + more < 2**64:
            self.book.count(name, more)
            self.counters[name] += more

    @rule(name=st.sampled_from(COUNTERS), value=U64)
    def gauge(self, name, value):
        self.book.gauge(name, value)
        self.counters[name] = value

    @rule(peer=st.integers(1, 7), total=U64, emitted=st.booleans())
    def link(self, peer, total, emitted):
        if peer not in self.links and len(self.links) == 4:
            with pytest.raises(ResourceExhausted, match="limit is 4"):
                self.book.emitted(peer, total)
            return
        (self.book.emitted if emitted else self.book.taken)(peer, total)
        self.links.setdefault(peer, [0, 0])[0 if emitted else 1] = total

    @rule(peer=st.integers(1, 7))
    def forget(self, peer):
        self.book.forget(peer)
        self.links.pop(peer, None)

    @rule()
    def commit(self):
        self.next = self.as_read()
        self.seen_new = False
        self.book.commit()
        self.committed = self.next
        self.look()

    @precondition(lambda self: self.committed)
    @invariant()
    def what_is_gathered_is_not_visible(self):
        found = read(self.path)
        assert (found.counters, found.links) == self.committed


class TestEveryStore(EveryStore.TestCase):
    """Wherever the owner is killed, the book says what it said before the commit or after it, all of it."""

    settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=25)


def test_a_new_book_is_its_users_alone_of_exact_size_and_zero(path):
    """All of its place is reserved, so that a full disk cannot kill its owner later."""
    Book.create(path, 7, COUNTERS).close()
    status = path.stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_size == at.total_words(at.MAX_PEERS) * at.WORD
    assert status.st_blocks * 512 >= status.st_size
    found = read(path)
    assert (found.owner, found.counters, found.links) == (7, dict.fromkeys(COUNTERS, 0), {})


def test_a_book_is_not_made_over_another(path, book):
    """Its numbers are somebody's."""
    with pytest.raises(StorageError, match="cannot be made"):
        Book.create(path, 8, COUNTERS)
    assert read(path).owner == 7


@pytest.mark.parametrize("names", [("a", "a"), ("",), ("ä" * 17,), ("a\0",), tuple(map(str, range(49)))])
def test_names_that_do_not_fit_are_refused(path, names):
    """Nothing is left behind."""
    with pytest.raises(ValueError, match="counter"):
        Book.create(path, 7, names)
    assert not path.exists()


@pytest.mark.parametrize("peers", [0, at.MAX_PEERS + 1])
def test_a_book_has_place_for_1_to_4096_links(path, peers):
    """Nothing is left behind."""
    with pytest.raises(ValueError, match=f"not {peers}"):
        Book.create(path, 7, COUNTERS, peers=peers)
    assert not path.exists()


def test_a_number_that_is_none_is_not_committed(path, book):
    """Nothing of that commit is visible."""
    book.gauge("run", 5)
    book.gauge("queued", -1)
    with pytest.raises(OverflowError):
        book.commit()
    assert read(path).counters["run"] == 0


def test_a_closed_book_stays_readable_and_takes_nothing_more(path, book):
    """Closing twice is fine, committing afterwards says what is wrong."""
    book.count("run", 3)
    book.commit()
    book.close()
    book.close()
    with pytest.raises(StorageError, match="closed"):
        book.commit()
    assert read(path).counters["run"] == 3


def test_a_counter_that_the_book_was_not_made_with_is_a_mistake(book):
    """Misspelt names do not vanish."""
    with pytest.raises(KeyError):
        book.count("runs")


def test_a_file_that_is_not_there_is_an_error_with_its_path(path):
    """Errors of the operating system are mapped at the door."""
    with pytest.raises(StorageError, match=r"book.*No such file"):
        read(path)


def test_a_book_that_was_never_finished_is_known_as_such(path, book):
    """The magic is stored last."""
    with path.open("r+b") as file:
        file.write(bytes(8))
    with pytest.raises(StorageError, match="never finished"):
        read(path)


def test_a_book_that_never_stands_still_is_given_up(path, book, monkeypatch):
    """The reader's patience is bounded."""
    tries = []
    monkeypatch.setattr("caxton.store.books._read_once", tries.append)
    with pytest.raises(StorageError, match="changed during"):
        read(path)
    assert len(tries) == READ_TRIES


@given(
    place=st.integers(0, at.FRONT_WORDS * at.WORD - 1) | st.integers(0, at.total_words(4) * at.WORD - 1),
    byte=st.integers(0, 255),
    cut=st.none() | st.integers(0, at.total_words(4) * at.WORD),
)
@settings(max_examples=3 * settings().max_examples)
def test_a_damaged_book_is_read_or_refused_and_nothing_else(tmp_path_factory, place, byte, cut):
    """One byte changed anywhere, and perhaps cut short: StorageError, or a view of the right shape."""
    path = tmp_path_factory.mktemp("books") / "book"
    book = Book.create(path, 7, COUNTERS, peers=4)
    book.emitted(3, 4)
    book.count("run", 9)
    book.commit()
    book.close()
    raw = bytearray(path.read_bytes())
    raw[place] = byte
    path.write_bytes(raw[:cut])
    found = None
    with suppress(StorageError):
        found = read(path)
    if found is not None:
        assert len(found.counters) <= at.MAX_COUNTERS
        assert len(found.links) <= 4


@pytest.fixture
def writer(path):
    """A process that commits as fast as it can, killed after the test."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "made\n"
        yield process
        process.kill()


def consistent_number(found):
    """Return how many commits a book of WRITER shows, each of them whole."""
    number = found.counters["run"]
    links = {peer: Totals(number * peer, number) for peer in range(1, 6)} if number else {}
    if number:
        links[1_000 + number % 9] = Totals(number, 0)
    assert found.counters == {"run": number, "queued": 3 * number}
    assert found.links == links
    return number


def test_a_reader_beside_a_busy_writer_sees_whole_commits_only(path, writer):
    """A thousand readings, none of them torn, none older than the one before."""
    last = readings = 0
    while last < 5_000 or readings < 1_000:
        number = consistent_number(read(path))
        assert number >= last
        last = number
        readings += 1


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_writer_leaves_a_whole_commit(path, writer, seed):
    """SIGKILL at a random moment: the book is as after one of its commits, and none that was seen is gone."""
    wanted = random.Random(seed).randrange(1, 2_000)
    seen = 0
    while seen < wanted:
        seen = consistent_number(read(path))
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert consistent_number(read(path)) >= seen
    assert read(path) == read(path)


def test_a_row_that_is_used_again_begins_at_zero(path, book):
    """Whether its last peer was forgotten in this commit or in one before."""
    for peer in (1, 2):
        book.emitted(peer, 5)
        book.taken(peer, 6)
    book.commit()
    book.forget(1)
    book.commit()
    book.forget(2)
    book.taken(3, 1)
    book.emitted(4, 1)
    book.commit()
    assert read(path).links == {3: Totals(0, 1), 4: Totals(1, 0)}


def test_a_commit_of_nothing_stores_nothing(path, book):
    """An idle pass costs nothing."""
    book.count("run")
    book.commit()
    before = path.read_bytes()
    book.commit()
    assert path.read_bytes() == before
