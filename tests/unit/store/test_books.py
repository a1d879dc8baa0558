"""The volatile books: read at every store, in whatever order stores are seen, beside a writer and after its death."""

import errno
import itertools
import os
import random
import signal
import subprocess
import sys
from array import array
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
from caxton.store.books import Book, read

COUNTERS = ("run", "queued", "lost on the way")
HISTOGRAMS = {"waiting": 3, "turn": 120}
U64 = st.integers(0, 2**64 - 1)

WRITER = """
import sys
from pathlib import Path
from caxton.store.books import Book
book = Book.create(Path(sys.argv[1]), 7, ("run", "queued"), histograms={"turn": 9})
print("made", flush=True)
number = 0
while True:
    number += 1
    book.count("run")
    book.gauge("queued", 3 * number)
    book.record("turn", number % 9)
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
    """Passes the stores into a part of a book on, and then says which it was."""

    def __init__(self, words, stored):
        self.words = words
        self.stored = stored

    def __getitem__(self, place):
        return self.words[place]

    def __setitem__(self, place, value):
        self.words[place] = value
        self.stored(self.words, place, value)


def watch(book, stored):
    """Have a book say each store, into its head and its copies."""
    book._head = Stores(book._head, stored)
    book._copies = tuple(Stores(copy, stored) for copy in book._copies)


def as_read(found):
    return found.counters, found.links, found.histograms


class EveryStore(RuleBasedStateMachine):
    """A reader looks after every single store, as if the owner had been killed there; some stores are interrupted."""

    def __init__(self):
        super().__init__()
        self.path = Path(mkdtemp()) / "book"
        self.book = Book.create(self.path, 7, COUNTERS, peers=4, histograms=HISTOGRAMS)
        watch(self.book, self.look)
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.links = {}
        self.histograms = {name: [0] * buckets for name, buckets in HISTOGRAMS.items()}
        self.committed = self.next = self.expected()
        self.seen_new = False
        self.stores_left = None

    def teardown(self):
        self.book.close()
        rmtree(self.path.parent)

    def expected(self):
        links = {peer: Totals(*totals) for peer, totals in self.links.items()}
        return dict(self.counters), links, {name: tuple(buckets) for name, buckets in self.histograms.items()}

    def look(self, *_):
        found = read(self.path)
        now = as_read(found)
        assert found.owner == 7
        assert now in (self.committed, self.next), "a mixture of two commits"
        assert not (self.seen_new and now != self.next), "a commit that was visible is gone"
        self.seen_new = now == self.next
        if self.stores_left is not None:
            self.stores_left -= 1
            if self.stores_left < 0:
                raise KeyboardInterrupt

    @rule(name=st.sampled_from(COUNTERS), more=st.integers(0, 2**40))
    def count(self, name, more):
        if self.counters[name] + more < 2**64:
            self.book.count(name, more)
            self.counters[name] += more

    @rule(name=st.sampled_from(COUNTERS), value=U64)
    def gauge(self, name, value):
        self.book.gauge(name, value)
        self.counters[name] = value

    @rule(name=st.sampled_from(list(HISTOGRAMS)), bucket=st.integers(0, 2), more=st.integers(0, 2**40))
    def record(self, name, bucket, more):
        self.book.record(name, bucket, more)
        self.histograms[name][bucket] += more

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
        self.next = self.expected()
        self.seen_new = False
        self.book.commit()
        self.committed = self.next
        self.look()

    @rule(stores=st.integers(0, 20))
    def interrupted_commit(self, stores):
        self.next = self.expected()
        self.seen_new = False
        self.stores_left = stores
        with suppress(KeyboardInterrupt):
            self.book.commit()
        self.stores_left = None
        self.look()
        self.committed = as_read(read(self.path))

    @precondition(lambda self: self.committed)
    @invariant()
    def what_is_gathered_is_not_visible(self):
        assert as_read(read(self.path)) == self.committed


class TestEveryStore(EveryStore.TestCase):
    """Wherever the owner is killed or interrupted, the book says what it said before the commit or after, all of it."""

    settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=25)


@given(commits=st.lists(st.dictionaries(st.integers(0, 5), U64, min_size=1), min_size=1, max_size=5), data=st.data())
def test_in_whatever_order_stores_are_seen_nothing_is_mixed(tmp_path_factory, commits, data):
    """Some stores of the last two commits are seen, whichever: a commit is read as a whole, none before the newest."""
    path = tmp_path_factory.mktemp("books") / "book"
    book = Book.create(path, 7, COUNTERS, peers=4, histograms={"turn": 6})
    shown = [as_read(read(path))]
    before, stores = path.read_bytes(), []

    def stored(words, place, value):
        start = {id(copy.words): start for copy, start in zip(book._copies, book._layout.copies, strict=True)}
        stores[-1].append((start.get(id(words), 0) + place, value))

    watch(book, stored)
    for commit in commits:
        stores.append([])
        for bucket, value in commit.items():
            book.record("turn", bucket, value - as_read(read(path))[2]["turn"][bucket])
        book.emitted(1, len(stores))
        book.commit()
        shown.append(as_read(read(path)))
    book.close()
    words = array("Q", before)
    for place, value in itertools.chain(*stores[:-2]):
        words[place] = value
    for commit in stores[-2:]:
        for place, value in data.draw(st.lists(st.sampled_from(commit), unique=True)):
            words[place] = value
    path.write_bytes(words.tobytes())
    with suppress(StorageError):
        assert as_read(read(path)) in shown[words[at.AT_NEWEST] :]


def test_histograms_stand_beside_counters_and_links(path):
    """Each has its buckets, and what is counted in one bucket is in no other."""
    book = Book.create(path, 7, ("run",), peers=4, histograms=HISTOGRAMS)
    book.record("turn", 119, 5)
    book.record("turn", 0)
    book.record("waiting", 2)
    book.emitted(3, 4)
    book.commit()
    book.close()
    found = read(path)
    assert (found.counters, found.links) == ({"run": 0}, {3: Totals(4, 0)})
    assert found.histograms == {"waiting": (0, 0, 1), "turn": (1, *[0] * 118, 5)}


def test_a_new_book_is_its_users_alone_of_exact_size_and_zero(path):
    """All of its place is reserved, so that a full disk cannot kill its owner later."""
    Book.create(path, 7, COUNTERS).close()
    status = path.stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_size == at.Layout.of(COUNTERS, {}, at.MAX_PEERS).file_words * at.WORD
    assert status.st_blocks * 512 >= status.st_size
    found = read(path)
    assert (found.owner, found.counters, found.links) == (7, dict.fromkeys(COUNTERS, 0), {})


def test_a_book_is_not_made_over_another(path, book):
    """Its numbers are somebody's."""
    with pytest.raises(StorageError, match="cannot be made"):
        Book.create(path, 8, COUNTERS)
    assert read(path).owner == 7


@pytest.mark.parametrize("names", [("a", "a"), ("",), ("ä" * 17,), ("a\0",), tuple(map(str, range(at.MAX_SERIES + 1)))])
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


@pytest.mark.parametrize("histograms", [{"turn": 0}, {"turn": at.MAX_VALUES}, {"run": 3}])
def test_histograms_that_do_not_fit_are_refused(path, histograms):
    """Without a bucket, with more numbers than a book may have, or under the name of a counter."""
    with pytest.raises(ValueError, match="histogram"):
        Book.create(path, 7, COUNTERS, histograms=histograms)
    assert not path.exists()


def test_a_disk_that_is_full_leaves_no_book_behind(path, monkeypatch):
    """The room of a book is reserved when it is made, or there is none."""

    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="No space left"):
        Book.create(path, 7, COUNTERS)
    assert not path.exists()


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_is_none_is_not_gathered(path, book, number):
    """The book goes on with what it was."""
    book.gauge("run", 5)
    for change in (book.gauge, book.count):
        with pytest.raises(OverflowError):
            change("queued", number)
    with pytest.raises(OverflowError):
        book.taken(3, number)
    book.commit()
    assert read(path).counters == {"run": 5, "queued": 0, "lost on the way": 0}


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
    assert found.histograms == {"turn": tuple((number + 9 - place) // 9 - (place == 0) for place in range(9))}
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
