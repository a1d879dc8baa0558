import pytest

from caxton.errors import StorageError
from caxton.ids import SESSION_BIT
from caxton.store.books import Book
from caxton.supervisor.workforce import run_ledger
from caxton.supervisor.workforce.run_ledger import KEPT_SESSIONS, KEPT_WORKERS, RunLedger

CLIENT = SESSION_BIT | 5
COUNTERS = ("run", "queued", "backlog", "gaps", "agents")


class Peers:
    """A ledger, and the books of whoever is in it."""

    def __init__(self, directory):
        self._path = lambda peer: directory / f"{peer:x}.book"
        self.ledger = RunLedger(self._path)
        self.books = {}

    def enter(self, *peers):
        for peer in peers:
            self.ledger.enter(peer)
            self.books[peer] = Book.create(self._path(peer), peer, COUNTERS, 1_000, {"waiting": 4})

    def send(self, source, target, emitted, taken):
        """Let `source` emit up to one sequence and `target` take up to another."""
        self.books[source].emitted(target, emitted)
        self.books[target].taken(source, taken)
        self.books[source].commit()
        self.books[target].commit()

    def count(self, peer, **counters):
        for name, count in counters.items():
            self.books[peer].gauge(name, count)
        self.books[peer].commit()

    def end(self, peer):
        self.books.pop(peer).close()
        if peer & SESSION_BIT:
            self.ledger.close_sessions([peer])
        else:
            self.ledger.close_worker(peer)
        self._path(peer).unlink()

    def lost(self):
        self.ledger.refresh(self.ledger.read_books(self.ledger.living))
        return self.ledger.lost()


@pytest.fixture
def peers(tmp_path):
    made = Peers(tmp_path)
    yield made
    for book in made.books.values():
        book.close()


def places(way_in=0, queued=0, way_out=0, gaps=0):
    total = way_in + queued + way_out + gaps
    return {"on_the_way_in": way_in, "queued": queued, "on_the_way_out": way_out, "gaps": gaps, "total": total}


def test_while_everybody_lives_nothing_is_lost(peers):
    """What is on its way between the living is not lost."""
    peers.enter(1, 2, CLIENT)
    peers.send(CLIENT, 1, 100, 60)
    peers.send(1, 2, 9, 3)

    assert peers.lost() == places()


def test_a_dead_workers_loss_is_what_its_book_and_its_peers_say(peers):
    """Lost with a worker: what it never took, what it had and did not finish, and what nobody took from it."""
    peers.enter(1, 2, CLIENT)
    peers.send(CLIENT, 1, 100, 60)
    peers.send(2, 1, 50, 49)
    peers.send(1, CLIENT, 40, 38)
    peers.send(1, 2, 30, 27)
    peers.count(1, queued=7, backlog=2, gaps=1, run=50, agents=3)

    peers.end(1)

    assert peers.lost() == places(way_in=41, queued=9, way_out=5, gaps=1)
    assert peers.ledger.totals()["run"] == 50
    assert peers.ledger.totals()["agents"] == 0


def test_survivors_may_learn_late(peers):
    """A client that emits on because it does not know yet, or takes in late what was sent, changes the loss."""
    peers.enter(1, CLIENT)
    peers.send(CLIENT, 1, 10, 10)
    peers.send(1, CLIENT, 8, 5)
    peers.end(1)
    before = peers.lost()

    peers.books[CLIENT].emitted(1, 25)
    peers.books[CLIENT].taken(1, 8)
    peers.books[CLIENT].commit()

    assert before == places(way_out=3)
    assert peers.lost() == places(way_in=15)


def test_what_a_survivor_said_last_counts_when_it_ends_too(peers):
    """A loss does not change any more when the survivor ends, nor when it forgets the dead."""
    peers.enter(1, 2, CLIENT)
    peers.send(CLIENT, 1, 20, 15)
    peers.send(1, 2, 6, 2)
    peers.end(1)
    expected = places(way_in=5, way_out=4)

    assert peers.lost() == expected
    peers.books[2].forget(1)
    peers.books[2].commit()
    assert peers.lost() == expected
    peers.end(CLIENT)
    assert peers.lost() == expected
    peers.end(2)
    assert peers.lost() == expected


def test_a_pair_of_dead_workers_is_counted_once(peers):
    """What was on the way between two workers that both died is lost once."""
    peers.enter(1, 2)
    peers.send(1, 2, 10, 4)
    peers.send(2, 1, 7, 5)

    peers.end(1)
    peers.end(2)

    assert peers.lost() == places(way_in=2, way_out=6)


def test_an_ended_session_is_no_dead_worker(peers):
    """What waited for a session that ended is told apart; what it sent and nobody took is lost on the way in."""
    peers.enter(1, CLIENT)
    peers.send(1, CLIENT, 30, 20)
    peers.send(CLIENT, 1, 9, 6)

    peers.end(CLIENT)

    assert peers.lost() == places(way_in=3)
    assert peers.ledger.undelivered == 10
    peers.end(1)
    assert peers.lost() == places(way_in=3)
    assert peers.ledger.undelivered == 10


def test_a_worker_without_a_book_loses_nothing(peers):
    """A worker that died before it made its book, or a client that never came, leaves nothing behind."""
    for peer in (1, CLIENT):
        peers.ledger.enter(peer)

    peers.ledger.close_worker(1)
    peers.ledger.close_sessions([CLIENT])

    assert peers.lost() == places()
    assert peers.ledger.unreadable == 0


def test_a_damaged_book_does_not_hide_what_it_said_before(peers, tmp_path):
    """When a dead worker's book has become unreadable, what was last read of it counts, and that is counted."""
    peers.enter(1, CLIENT)
    peers.send(CLIENT, 1, 10, 6)
    peers.lost()
    (tmp_path / "1.book").write_bytes(b"")

    peers.ledger.close_worker(1)

    assert peers.lost() == places(way_in=4)
    assert peers.ledger.unreadable == 1


def test_a_clients_book_speaks_for_that_client_alone(peers, tmp_path):
    """A client that writes another's number into its own book is not taken for the other."""
    peers.enter(1, CLIENT)
    liar = SESSION_BIT | 6
    peers.ledger.enter(liar)
    peers.books[liar] = Book.create(tmp_path / f"{liar:x}.book", CLIENT, COUNTERS)
    peers.send(CLIENT, 1, 10, 4)
    peers.books[liar].emitted(1, 0)
    peers.books[liar].commit()

    peers.end(1)

    assert peers.lost() == places(way_in=6)


def test_a_long_run_keeps_a_bounded_number_of_records(peers):
    """However many workers die and sessions end, what is kept is bounded, and the sums stay right."""
    peers.enter(1)
    deaths, ends = KEPT_WORKERS + 20, KEPT_SESSIONS + 20
    for number in range(2, deaths + 2):
        peers.enter(number)
        peers.send(1, number, 3, 1)
        peers.end(number)
        peers.books[1].forget(number)
    for number in range(ends):
        session = SESSION_BIT | (number + 100)
        peers.enter(session)
        peers.send(1, session, 2, 1)
        peers.end(session)
        peers.books[1].forget(session)

    assert peers.lost() == places(way_in=2 * deaths)
    assert peers.ledger.undelivered == ends
    assert len(peers.ledger._dead_workers) == KEPT_WORKERS
    assert len(peers.ledger._ended_sessions) == KEPT_SESSIONS


def test_the_end_of_a_session_costs_the_same_however_many_there_were(peers, monkeypatch):
    """A session's end reads its own book and the workers', and reckons at most one other, however many have ended."""
    read, reckoned = [], []
    book_of, loss = peers.ledger._book_of, run_ledger._Closed.loss
    peers.ledger._book_of = lambda peer: (read.append(peer), book_of(peer))[1]
    monkeypatch.setattr(run_ledger._Closed, "loss", lambda closed: (reckoned.append(closed), loss(closed))[1])
    peers.enter(1)
    sessions = KEPT_SESSIONS + 50

    for number in range(sessions):
        session = SESSION_BIT | (number + 100)
        peers.enter(session)
        peers.send(session, 1, 2, 1)
        peers.end(session)
        peers.books[1].forget(session)

    assert len(read) == 2 * sessions
    assert len(reckoned) == sessions - KEPT_SESSIONS


def test_sessions_that_end_together_cost_one_look_at_the_workers(peers):
    """However many sessions end at once, each worker's book is read once for all of them."""
    read = []
    book_of = peers.ledger._book_of
    peers.enter(1, 2)
    sessions = [SESSION_BIT | (number + 100) for number in range(800)]
    for session in sessions:
        peers.enter(session)
        peers.send(1, session, 3, 1)
        peers.send(session, 2, 2, 1)
        peers.books.pop(session).close()
    peers.ledger._book_of = lambda peer: (read.append(peer), book_of(peer))[1]

    peers.ledger.close_sessions(sessions)

    assert sorted(read) == [1, 2, *sessions]
    assert peers.lost() == places(way_in=800)
    assert peers.ledger.undelivered == 1_600


def test_sessions_have_no_links_with_each_other(peers):
    """What a client's book says of another session is nobody's loss, and is not kept."""
    other = SESSION_BIT | 6
    peers.enter(1, CLIENT, other)
    peers.send(CLIENT, other, 9, 0)

    peers.end(CLIENT)

    assert peers.lost() == places()
    assert peers.ledger._ended_sessions[CLIENT].book.links == {}


def test_numbers_of_clients_are_believed_within_reason(peers):
    """Whatever clients write into their books, what is told of all of them fits into an answer."""
    clients = [SESSION_BIT | n for n in range(1, 41)]
    peers.enter(1, *clients)
    for client in clients:
        peers.send(client, 1, 2**64 - 1, 0)
        peers.count(client, gaps=2**64 - 1)
        peers.end(client)

    # Of each client two numbers that nobody can check count as lost, each as 2**45 at most.
    assert peers.lost()["total"] == len(clients) * 2 * 2**45


def test_a_book_that_a_client_changes_all_the_time_holds_up_nobody(peers, monkeypatch):
    """A session's book is read without waiting for its owner to pause; a worker's with patience."""
    patience = {}

    def read(path, patience_s=None):
        patience[int(path.stem, 16)] = patience_s
        raise StorageError(str(path), "it changes all the time")

    peers.enter(1, CLIENT)
    monkeypatch.setattr("caxton.store.books.read", read)
    peers.ledger.read_books([1, CLIENT])

    assert patience == {1: None, CLIENT: 0}


def test_what_the_dead_measured_stays_and_what_clients_say_of_times_does_not(peers):
    """The times of a worker that ended are among those of the run; those in a client's book never are."""
    peers.enter(1, 2, CLIENT)
    for peer, bucket in ((1, 0), (2, 2), (CLIENT, 3)):
        peers.books[peer].record("waiting", bucket, 5)
        peers.books[peer].commit()
    peers.end(1)
    peers.end(CLIENT)
    peers.ledger.refresh(peers.ledger.read_books(peers.ledger.living))

    assert peers.ledger.latencies() == {"routing": [], "waiting": [5, 0, 5], "processing": [], "commit": []}
