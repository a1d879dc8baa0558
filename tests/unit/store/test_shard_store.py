"""Commits go in, and all of them come out, whatever is in them."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope, Rare
from caxton.errors import StorageError
from caxton.store.commit import (
    AbsenceRow,
    Commit,
    DeadRow,
    KeyRow,
    OutboxRow,
    QueueRow,
    SourceRow,
    TargetRow,
    UnfinishedRow,
)
from caxton.store.recovered import InQueue, InUnfinished, Unfinished
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import Waiting, encode_waiting
from caxton.wire.calls import DeadLetterFilter, Failed

SESSION = 1 << 63
U64 = st.integers(0, 2**64 - 1)
ANY_INT = st.integers() | st.sampled_from([-1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1])
ANY_TEXT = st.text(st.characters(), max_size=20)  # lone surrogates and NULs included
BLOB = st.binary(max_size=60)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shard-0.db"


@pytest.fixture
async def store(path):
    store = await ShardStore.open(path, 0)
    yield store
    await store.close()


async def reopened(store, path):
    await store.close()
    return await ShardStore.open(path, 0)


def waiting(number, expires_ns=5, expires_ms=6, timeout_ms=30_000):
    message = Envelope(number.to_bytes(16), 3, SESSION | 1, 2, b"content \0", timeout_ms=timeout_ms)
    return Waiting(message, expires_ns, expires_ms, 1, 2)


def letter(number, message=None, **fields):
    envelope = Envelope(number.to_bytes(16), 3, SESSION | 1, 2, b"content") if message is None else message
    row = DeadRow(number, "expired", Failed("Timeout", {}), 0, 5, SESSION | 1, 2, 7, encoded(envelope), None)
    return row._replace(**fields)


def encoded(envelope):
    return encode_waiting(envelope)


ENVELOPE = st.builds(
    Envelope,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 21),
    U64,
    U64,
    BLOB,
    conversation_id=st.none() | st.binary(min_size=16, max_size=16),
    created_at=U64,
    level=st.integers(1, 10),
    timeout_ms=st.integers(0, 300_000),
    flags=st.integers(0, 255),
    rare=st.none() | st.builds(Rare, language=st.none() | st.text(max_size=5), reply_to=st.none() | U64),
)
WAITING = st.builds(Waiting, ENVELOPE, *[st.integers(-(2**63), 2**63 - 1)] * 2, *[st.integers(0, 2**63)] * 2)


@st.composite
def commits(draw):
    """Any commit whose numbers are our own; everything that others choose is as bad as it gets."""
    commit = Commit()
    number = iter(range(1, 100))
    commit.sources = draw(st.dictionaries(U64, st.builds(SourceRow, U64, st.none() | BLOB), max_size=3))
    commit.targets = draw(st.dictionaries(U64, st.builds(TargetRow, U64, U64, U64), max_size=3))
    commit.ended = draw(st.sets(U64, max_size=2))
    commit.outbox = [
        OutboxRow(next(number), *row) for row in draw(st.lists(st.tuples(U64, U64, U64, BLOB), max_size=3))
    ]
    for messages in draw(st.lists(st.lists(WAITING, min_size=1, max_size=9), max_size=3)):
        commit.unfinished.append(UnfinishedRow(next(number), len(messages), encode_waiting(messages)))
    for row in commit.unfinished:
        if draw(st.booleans()):
            marks = draw(st.integers(0, 2**row.size - 1))
            commit.done[row.number] = (marks.to_bytes(2, "little"), marks.bit_count())
    for message in draw(st.lists(WAITING, max_size=3)):
        own = next(number)
        row = QueueRow(own, draw(U64), draw(ANY_INT), draw(ANY_INT), draw(st.none() | ANY_INT), draw(ANY_INT), b"")
        commit.queued[own] = row._replace(message=encode_waiting([message]))
    failed = st.builds(
        Failed,
        ANY_TEXT | st.just("x" * 300),
        st.dictionaries(
            ANY_TEXT,
            ANY_TEXT | ANY_INT | st.floats() | st.none() | st.booleans() | st.lists(ANY_TEXT | ANY_INT, max_size=2),
            max_size=3,
        ),
    )
    for error in draw(st.lists(failed, max_size=3)):
        message = draw(ENVELOPE.map(encoded) | BLOB)
        ints = draw(ANY_INT), draw(ANY_INT), draw(ANY_INT), draw(ANY_INT), draw(ANY_INT)
        dead = DeadRow(next(number), draw(ANY_TEXT), error, *ints, message, draw(st.none() | ANY_INT))
        commit.dead[dead.number] = dead
    commit.states = draw(st.dictionaries(U64, st.none() | BLOB, max_size=3))
    commit.charges = draw(st.dictionaries(st.tuples(U64, U64), st.integers(0, 9), max_size=3))
    keys = draw(st.dictionaries(st.tuples(U64, BLOB), st.tuples(ANY_INT, st.none() | BLOB), max_size=3))
    commit.keys = {key: KeyRow(*key, *row) for key, row in keys.items()}
    commit.keys_gone = draw(st.lists(st.tuples(ANY_INT, BLOB), max_size=2))
    commit.settled = draw(st.lists(ANY_INT, max_size=2))
    commit.buried = draw(st.lists(ANY_INT, max_size=2))
    absences = st.builds(AbsenceRow, st.integers(0, 2**63 - 1), st.integers(-1, 2**63 - 1))
    commit.absences = draw(st.dictionaries(U64, st.none() | absences, max_size=3))
    commit.counts = Counter(draw(st.dictionaries(st.sampled_from(["dead", "expired", "x"]), st.integers(0, 99))))
    commit.next_number = 100
    return commit


@settings(
    max_examples=settings().max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(commit=commits())
async def test_no_data_makes_a_commit_fail_and_all_of_it_comes_back(tmp_path, commit):
    """Integers of any size, lone surrogates, NULs and bytes of any kind are stored, and read by a successor."""
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "shard-0.db"
    store = await ShardStore.open(path, 0)
    try:
        await store.commit(commit)
        store = await reopened(store, path)
        found = await store.load()
        wanted = [DeadLetterFilter(ids=[dead.number]) for dead in found.dead_letters]
        pages = [await store.letters_with_messages(which, 500) for which in wanted]
    finally:
        await store.close()

    ended = commit.ended
    assert found.sources == {file: row for file, row in commit.sources.items() if file not in ended}
    assert found.targets == {target: row for target, row in commit.targets.items() if target not in ended}
    kept = [row for row in commit.outbox if row.number not in commit.settled]
    assert found.outbox == sorted(kept, key=lambda row: (row.target, row.first))
    sizes = {row.number: row.size for row in commit.unfinished}
    done = {number: int.from_bytes(marks, "little") for number, (marks, _) in commit.done.items()}
    assert {number: (row.size, row.done) for number, row in found.unfinished.items()} == {
        number: (size, done.get(number, 0).bit_count()) for number, size in sizes.items()
    }
    left = {(number, place) for number, size in sizes.items() for place in range(size)}
    left -= {(number, place) for number, place in left if done.get(number, 0) >> place & 1}
    left |= {(number, None) for number in commit.queued}
    assert {(at.number, at.place if isinstance(at, InUnfinished) else None) for at, _ in found.waiting} == left
    written = [row.messages for row in commit.unfinished] + [row.message for row in commit.queued.values()]
    assert all(any(encode_waiting(waits)[1:] in blob for blob in written) for _, waits in found.waiting)
    dead = [row for row in commit.dead.values() if row.number not in commit.buried]
    assert [dead.number for dead in found.dead_letters] == [row.number for row in dead]
    assert [[(row.number, row.message) for row in rows] for rows, _ in pages] == [
        [(row.number, row.message)] for row in dead
    ]
    assert found.states == {agent_id: state for agent_id, state in commit.states.items() if state is not None}
    assert found.charges == {root: deaths for root, deaths in commit.charges.items() if deaths}
    assert found.absences == {agent_id: row for agent_id, row in commit.absences.items() if row is not None}
    assert {(row.receiver, row.key): row.answer for row in found.keys} == {
        key: row.answer for key, row in commit.keys.items()
    }
    assert {name: found.counts[name] for name, count in commit.counts.items() if count} == +commit.counts
    assert found.next_number == 100


async def test_a_new_store_is_empty_and_has_an_id_of_its_own(store, path):
    """63 bits, random, the same at every opening, and numbers begin at 1."""
    assert 1 <= store.file_id < 2**63
    found = await store.load()
    assert found.next_number == 1
    assert not any((found.sources, found.targets, found.outbox, found.waiting, found.states, found.keys))
    other = await ShardStore.open(path.with_name("shard-1.db"), 1)
    assert other.file_id != store.file_id
    await other.close()
    again = await reopened(store, path)
    assert again.file_id == store.file_id
    await again.close()


async def test_rows_are_replaced_and_deleted(store, path):
    """What a later commit says of a row is what is found."""
    first, second = Commit(), Commit()
    first.sources = {1: SourceRow(5, b"told"), SESSION | 2: SourceRow(6, None)}
    first.targets = {1: TargetRow(0, 5, 0), SESSION | 2: TargetRow(SESSION | 2, 7, 0)}
    first.outbox = [OutboxRow(1, 1, 1, 5, b"a"), OutboxRow(2, SESSION | 2, 1, 7, b"b")]
    first.unfinished = [UnfinishedRow(n, 2, encode_waiting([waiting(n), waiting(n)])) for n in (3, 4, 5)]
    first.queued = {6: QueueRow(6, 9, 5, 1, 100, 50, encode_waiting([waiting(6)]))}
    first.dead = {7: letter(7), 8: letter(8)}
    first.states = {9: b"one", 10: b"two"}
    first.charges = {(1, 2): 1, (1, 3): 2}
    first.absences = {9: AbsenceRow(3, 4), 10: AbsenceRow(5, -1)}
    first.keys = {(9, b"k"): KeyRow(9, b"k", 5, None), (9, b"l"): KeyRow(9, b"l", 5, b"answer")}
    first.counts["processed"] = 3
    first.next_number = 20
    await store.commit(first)
    second.sources = {1: SourceRow(9, None)}
    second.targets = {1: TargetRow(77, 9, 5)}
    second.ended = {SESSION | 2}
    second.settled = [1, 2]
    second.done = {3: (b"\x02", 1), 4: None}
    second.queued = {6: QueueRow(6, 9, 5, 2, None, 50, encode_waiting([waiting(60)]))}
    second.buried = [7]
    second.states = {9: b"three", 10: None}
    second.charges = {(1, 2): 4, (1, 3): 0}
    second.absences = {9: AbsenceRow(7, -1), 10: None}
    second.keys = {(9, b"k"): KeyRow(9, b"k", 6, b"later")}
    second.keys_gone = [(9, b"k"), (9, b"l")]
    second.counts["processed"] = 4
    second.next_number = 9  # never goes back
    await store.commit(second)
    store = await reopened(store, path)
    found = await store.load()
    books = await store.ledger()
    await store.close()

    assert found.sources == {1: SourceRow(9, None)}
    assert found.targets == {1: TargetRow(77, 9, 5)}
    assert found.outbox == []
    assert found.unfinished == {3: Unfinished(2, 1, b"\x02"), 5: Unfinished(2, 0, b"")}
    assert [at for at, _ in found.waiting] == [
        InUnfinished(3, 0),
        InUnfinished(5, 0),
        InUnfinished(5, 1),
        InQueue(6, None, 50, 0, 0),
    ]
    assert found.waiting[-1][1].message.message_id == (60).to_bytes(16)
    assert [dead.number for dead in found.dead_letters] == [8]
    assert found.states == {9: b"three"}
    assert found.charges == {(1, 2): 4}
    assert found.absences == {9: AbsenceRow(7, -1)}
    assert found.keys == [KeyRow(9, b"k", 6, b"later")]
    assert (found.counts["processed"], found.next_number) == (7, 20)
    assert {table: books.counts.get(f"rows.{table}", 0) for table in books.rows} == books.rows


async def test_what_is_added_and_deleted_in_one_commit_is_gone(store):
    """A pass may gather both; the books agree that nothing is there."""
    commit = Commit()
    commit.outbox, commit.settled = [OutboxRow(1, 1, 1, 5, b"a")], [1]
    commit.unfinished, commit.done = [UnfinishedRow(2, 1, encode_waiting([waiting(2)]))], {2: None}
    commit.queued, commit.dequeued = {3: QueueRow(3, 9, 5, 1, 100, 50, encode_waiting([waiting(3)]))}, [3]
    commit.dead, commit.buried = {4: letter(4)}, [4]
    await store.commit(commit)
    found = await store.load()
    assert not any((found.outbox, found.waiting, found.unfinished, found.dead_letters))
    assert (await store.ledger()).pending == 0


async def test_messages_come_back_in_the_order_in_which_they_were_taken(store):
    """Also one that moved to a row of its own since: it stands where it stood."""
    commit = Commit()
    for number in (1, 30):
        commit.unfinished.append(UnfinishedRow(number, 3, encode_waiting([waiting(number + n) for n in range(3)])))
    commit.done = {1: (b"\x03", 2)}
    for number, row, place in ((40, 1, 1), (50, 0, 0), (20, 0, 0)):
        message = encode_waiting([waiting(number)])
        commit.queued[number] = QueueRow(number, 9, 5, 1, 7, 8, message, row, place)
    await store.commit(commit)
    found = await store.load()
    assert [at for at, _ in found.waiting] == [
        InQueue(40, 7, 8, 1, 1),
        InUnfinished(1, 2),
        InQueue(20, 7, 8, 0, 0),
        InUnfinished(30, 0),
        InUnfinished(30, 1),
        InUnfinished(30, 2),
        InQueue(50, 7, 8, 0, 0),
    ]


async def test_a_file_is_of_one_shard(store, path):
    """Under the name of another it is refused, and says whose it is."""
    await store.close()
    path.rename(path.with_name("shard-1.db"))
    with pytest.raises(StorageError, match="the file of shard 0, where that of shard 1 belongs"):
        await ShardStore.open(path.with_name("shard-1.db"), 1)


async def test_a_number_that_is_used_twice_is_told(store):
    """Our own numbers are never given twice: rather an error than a row that is silently another."""
    commit = Commit()
    commit.outbox = [OutboxRow(1, 1, 1, 5, b"a")]
    await store.commit(commit)
    with pytest.raises(StorageError, match="UNIQUE"):
        await store.commit(commit)
    assert len((await store.load()).outbox) == 1


async def test_a_closed_store_says_so(store):
    """Closing twice is fine, and a commit after it names the file."""
    await store.close()
    await store.close()
    with pytest.raises(StorageError, match=r"shard-0\.db: the database is closed"):
        await store.commit(Commit())
