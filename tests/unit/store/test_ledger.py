"""The books of the durable lane balance after any history, and a row that is gone makes them say where."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope
from caxton.agents.manifest import Manifest
from caxton.store.agents import StoredAgents
from caxton.store.commit import (
    AbsenceRow,
    Commit,
    ConversationRow,
    DeadRow,
    KeyRow,
    OutboxRow,
    QueueRow,
    SourceRow,
    TargetRow,
    UnfinishedRow,
)
from caxton.store.ledger import COUNTERS, Ledger, check
from caxton.store.ledger_rows import COUNTED_TABLES, read_shard_ledger
from caxton.store.routes import Route, StoredRoutes
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import Waiting, encode_waiting
from caxton.wire.calls import Failed
from caxton.wire.shard_ledger import ShardLedger

SESSION = 1 << 63 | 9
MESSAGE = Envelope(bytes(16), 3, 1, 2, b"content")
WAITING = Waiting(MESSAGE, 1, 2, 0, 0)


class Shard:
    """What a worker does to its store, in the simplest way that is right: one commit an event."""

    def __init__(self, number, store):
        self.number, self.store = number, store
        self.next = 1
        self.emitted, self.acknowledged, self.rows, self.taken = {}, {}, {}, {}
        self.rows_waiting, self.queue, self.letters = {}, [], []

    def own(self):
        self.next += 1
        return self.next - 1

    async def end(self, commit):
        commit.next_number = self.next
        await self.store.commit(commit)

    def wait(self, commit, count, as_rows):
        """`count` messages were taken and have to wait."""
        if as_rows:
            number = self.own()
            commit.unfinished = [UnfinishedRow(number, count, encode_waiting([WAITING] * count))]
            self.rows_waiting[number] = (count, 0)
        else:
            numbers = [self.own() for _ in range(count)]
            message = encode_waiting([WAITING])
            commit.queued = {n: QueueRow(n, 2, 5, 1, None, 3, message) for n in numbers}
            self.queue += numbers

    async def accept(self, count, how):
        commit = Commit()
        commit.counts["accepted_clients"] = count
        commit.counts["refused"] = count % 3
        commit.sources = {SESSION: SourceRow(self.count_taken(SESSION, count + count % 3), None)}
        self.settle(commit, count, how)
        await self.end(commit)

    def count_taken(self, file, count):
        self.taken[file] = self.taken.get(file, 0) + count
        return self.taken[file]

    def settle(self, commit, count, how):
        if how in {"rows", "queue"}:
            self.wait(commit, count, how == "rows")
        elif how in {"dead", "expired"}:
            self.bury(commit, count, how)
        else:
            commit.counts["processed"] += count

    def bury(self, commit, count, term):
        commit.counts[term] += count
        for _ in range(count):
            number = self.own()
            failed = Failed("Timeout", {"what": "it", "timeout_s": 0.5})
            commit.dead[number] = DeadRow(number, term, failed, 1, 5, 1, 2, 7, encode_waiting(MESSAGE), None)
            self.letters.append(number)

    async def emit(self, target, count, end):
        """An agent sends to a shard or to a session."""
        commit = Commit()
        first = self.emitted.get(target, 0) + 1
        self.emitted[target] = last = first + count - 1
        row = OutboxRow(self.own(), target, first, last, b"frame")
        self.rows.setdefault(target, []).append(row)
        commit.outbox = [row]
        commit.targets = {target: TargetRow(1, last, self.acknowledged.get(target, 0))}
        commit.counts["accepted_agents"] = count
        commit.counts["emitted_sessions" if target == SESSION else "emitted_workers"] = count
        await self.end(commit)
        if target == SESSION and end == "acknowledge":
            await self.settled(SESSION, last)
        elif target == SESSION and end == "session ended":
            await self.session_ended()

    async def settled(self, target, last):
        commit = Commit()
        self.acknowledged[target] = last
        gone = [row for row in self.rows.get(target, []) if row.last <= last]
        self.rows[target] = [row for row in self.rows.get(target, []) if row.last > last]
        commit.settled = [row.number for row in gone]
        commit.targets = {target: TargetRow(1, self.emitted.get(target, 0), last)}
        if target == SESSION:
            commit.counts["acknowledged_sessions"] = sum(row.last - row.first + 1 for row in gone)
        await self.end(commit)

    async def session_ended(self):
        commit = Commit()
        gone = self.rows.pop(SESSION, [])
        self.bury(commit, sum(row.last - row.first + 1 for row in gone), "dead_outbox")
        commit.settled = [row.number for row in gone]
        commit.ended = {SESSION}
        for known in (self.emitted, self.acknowledged, self.taken):
            known.pop(SESSION, None)
        await self.end(commit)

    async def take_from(self, other, how):
        """Take the next frame of another shard, and acknowledge it, or not."""
        rows = [row for row in other.rows.get(self.number, []) if row.first > self.taken.get(other.store.file_id, 0)]
        if not rows:
            return
        count = rows[0].last - rows[0].first + 1
        commit = Commit()
        commit.sources = {other.store.file_id: SourceRow(self.count_taken(other.store.file_id, count), None)}
        commit.counts["taken_workers"] = count
        self.settle(commit, count, how)
        await self.end(commit)
        if count % 2:
            await other.settled(self.number, rows[0].last)

    async def go_on(self, how):
        """Something that waits comes to its end."""
        commit = Commit()
        how = "processed" if how in {"rows", "queue"} else how
        if self.queue:
            commit.dequeued = [self.queue.pop(0)]
        elif self.rows_waiting:
            number, (size, done) = next(iter(self.rows_waiting.items()))
            self.rows_waiting[number] = (size, done + 1)
            if done + 1 == size:
                del self.rows_waiting[number]
                commit.done = {number: None}
            else:
                commit.done = {number: ((2 ** (done + 1) - 1).to_bytes(2, "little"), done + 1)}
        else:
            return
        self.settle(commit, 1, how)
        await self.end(commit)

    async def unbury(self, term, how):
        if self.letters:
            commit = Commit()
            commit.buried = [self.letters.pop(0)]
            commit.counts[term] = 1
            if term == "requeued":
                self.settle(commit, 1, how)
            await self.end(commit)


HOW = st.sampled_from(["processed", "rows", "queue", "dead", "expired"])
EVENT = st.one_of(
    st.tuples(st.just("accept"), st.integers(1, 9), HOW),
    st.tuples(st.just("emit"), st.booleans(), st.integers(1, 5), st.sampled_from(["", "acknowledge", "session ended"])),
    st.tuples(st.just("take"), HOW),
    st.tuples(st.just("go on"), HOW),
    st.tuples(st.just("unbury"), st.sampled_from(["purged", "requeued", "evicted"]), HOW),
)
EVENTS = st.lists(st.tuples(st.integers(0, 1), EVENT), max_size=30)


async def happen(shards, events):
    for place, (name, *more) in events:
        shard, other = shards[place], shards[1 - place]
        if name == "accept":
            await shard.accept(*more)
        elif name == "emit":
            to_session, *rest = more
            await shard.emit(SESSION if to_session else other.number, *rest)
        elif name == "take":
            await shard.take_from(other, *more)
        elif name == "go on":
            await shard.go_on(*more)
        else:
            await shard.unbury(*more)


async def opened(directory):
    directory = Path(tempfile.mkdtemp(dir=directory))
    return [Shard(n, await ShardStore.open(directory / f"shard-{n}.db", n)) for n in (0, 1)]


def adds_up(figures):
    """Whether every message is in one place."""
    ended = figures.processed + figures.dead + figures.expired
    here = figures.accepted + figures.arrived
    return here == ended + figures.pending + figures.in_flight + figures.passed_on


@settings(
    max_examples=settings().max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=EVENTS)
async def test_the_books_balance_after_any_history(tmp_path, events):
    """For each shard and for all, by every term counted alone, and in each of two readings while messages move."""
    shards = await opened(tmp_path)
    try:
        await happen(shards, events[: len(events) // 2])
        earlier = [await shard.store.ledger() for shard in shards]
        await happen(shards, events[len(events) // 2 :])
        later = [await shard.store.ledger() for shard in shards]
    finally:
        for shard in shards:
            await shard.store.close()
    for ledger in (check(earlier), check(later), check(later, earlier), check([earlier[0], later[1]], earlier)):
        assert ledger.whole.problems == []
        assert ledger.balanced
    ledger = check(later)
    assert adds_up(ledger.whole)
    assert all(adds_up(figures) for figures in ledger.shards.values())
    assert (ledger.whole.arrived, ledger.whole.passed_on) == (0, 0)
    waiting = [sum(size - done for size, done in shard.rows_waiting.values()) + len(shard.queue) for shard in shards]
    assert [ledger.shards[n].pending for n in (0, 1)] == waiting
    assert ledger.whole.pending == sum(waiting)
    assert adds_up(check(later[:1]).whole), "also when a shard cannot be asked"


async def rich(directory):
    """Two shards with rows in every table."""
    shards = await opened(directory)
    for shard in shards:
        other = shards[1 - shard.number]
        for how in ("rows", "queue", "dead", "expired", "processed"):
            await shard.accept(5, how)
        await shard.go_on("dead")
        while shard.queue:
            await shard.go_on("processed")
        await shard.accept(2, "queue")
        await shard.go_on("processed")
        await shard.accept(3, "rows")
        while shard.queue:
            await shard.go_on("processed")
        await shard.go_on("processed")
        await shard.accept(1, "queue")
        await shard.emit(SESSION, 4, "acknowledge")
        await shard.emit(SESSION, 4, "")
        await shard.emit(other.number, 3, "")
        await shard.emit(other.number, 2, "")
        await shard.emit(other.number, 1, "")
        await other.take_from(shard, "processed")
        await other.take_from(shard, "rows")
        commit = Commit()
        commit.states = {2: b"state", 3: b"other"}
        commit.charges = {(5, 6): 1}
        commit.absences = {2: AbsenceRow(3, -1), 3: AbsenceRow(0, 4)}
        commit.keys = {(2, b"key"): KeyRow(2, b"key", 5, None)}
        commit.conversations = [ConversationRow(1_000_000 + n, 0, b"\x90") for n in range(2)]
        await shard.end(commit)
        await StoredAgents(shard.store.database).add([(2, Manifest("a", bytes(32))), (3, Manifest("b", bytes(32)))], 1)
        await StoredRoutes(shard.store.database).save({2: Route("b", 1, 7), 3: Route("c", 2, 8)})
    return shards


TABLES = {
    **dict.fromkeys(("agents", "unfinished", "unfinished_done", "outbox", "dead_letters", "agent_states"), "rowid"),
    **dict.fromkeys(("sources", "targets", "message_queue", "absences", "routes", "conversations"), "rowid"),
    "agent_versions": "agent_id, number",
    "charges": "source, sequence",
    "idempotency_keys": "receiver, key",
    "ledger": "name",
}


async def test_any_row_that_is_deleted_is_missed(tmp_path):
    """Of any table, in any shard: the books say which shard it is, and balance again when it is back."""
    shards = await rich(tmp_path)
    whole = [await shard.store.ledger() for shard in shards]
    assert check(whole).whole.problems == []
    tables = await shards[0].store.database.run(
        lambda db: {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    )
    # Without the row of meta the file does not open, and the audit knows by itself what is gone of it.
    assert tables == {*TABLES, "meta", "audit", "audit_heads"}
    deleted = 0
    for shard in shards:
        for table, key in TABLES.items():
            for ledger in await shard.store.database.run(lambda db, table=table, key=key: without_each(db, table, key)):
                books = [*whole]
                books[shard.number] = ledger
                found = check(books)
                assert not found.balanced, table
                assert not found.shards[shard.number].balanced, table
                assert any(f"shard {shard.number}: " in text for text in found.whole.problems), table
                deleted += 1
        await shard.store.close()
    assert deleted > 60


def without_each(db, table, key):
    """What the books say without one row, for each row of a table that is worth something."""
    keys = db.execute(f"SELECT {key} FROM {table}").fetchall()  # noqa: S608 (our own words only)
    assert keys, table
    found = []
    for one in keys:
        if table == "ledger" and db.execute("SELECT value FROM ledger WHERE name = ?", one).fetchone() == (0,):
            continue
        if table == "ledger" and one[0] in {"refused", "duplicates", "served_ms"}:
            continue  # they are in no equation
        db.execute("BEGIN")
        where = " AND ".join(f"{column.strip()} = ?" for column in key.split(","))
        assert db.execute(f"DELETE FROM {table} WHERE {where}", one).rowcount == 1  # noqa: S608 (as above)
        found.append(read_shard_ledger(db))
        db.execute("ROLLBACK")
    return found


def books(shard, **fields):
    """An empty shard's books, but for some fields."""
    empty = {
        "counts": {},
        "outbox": {},
        "emitted": {},
        "acknowledged": {},
        "taken": {},
        "pending": 0,
        "dead_letters": 0,
    }
    return ShardLedger(shard=shard, file=100 + shard, **(empty | fields))


def test_nothing_balances_with_nothing():
    """No shards, or shards where nothing ever happened."""
    assert check([]) == Ledger(check([]).whole, {})
    assert check([books(0), books(1)]).balanced


@pytest.mark.parametrize("name", [name for name in COUNTERS if name not in {"duplicates", "refused", "served_ms"}])
def test_every_counter_is_in_an_equation(name):
    """One too many of any is told, with both figures and the shard."""
    found = check([books(0), books(3, counts={name: 1})])
    assert found.shards[0].balanced
    assert not found.shards[3].balanced
    assert found.whole.problems == found.shards[3].problems
    assert all(text.startswith("shard 3: ") and any(d in text for d in ("1 ", "-1 ")) for text in found.whole.problems)


@pytest.mark.parametrize("table", COUNTED_TABLES)
def test_rows_of_other_tables_are_counted_too(table):
    """A row more or less than were added is told."""
    found = check([books(0, counts={f"rows.{table}": 2}, rows={table: 1})])
    assert found.whole.problems == [f"shard 0: 2 rows of {table}, and 1 in its file"]


def test_a_link_is_told_by_its_shard():
    """What was acknowledged was taken, and what was taken was emitted."""
    sent = books(0, counts={"accepted_agents": 5, "emitted_workers": 5}, emitted={1: 5}, acknowledged={1: 5})
    taken = books(1, counts={"taken_workers": 5, "processed": 5}, taken={100: 5})
    assert check([sent, taken]).balanced
    assert check([sent, books(1)]).whole.problems == ["shard 1: shard 0 has 5 acknowledged by it, and it has taken 0"]
    assert check([books(0), taken]).whole.problems == ["shard 0: 0 emitted to shard 1, which has taken 5 from it"]


def test_links_that_move_between_two_readings_are_no_problem():
    """With an earlier reading only what can never be is told."""
    sent = books(0, counts={"accepted_agents": 5, "emitted_workers": 5}, emitted={1: 5}, acknowledged={1: 5})
    taken = books(1, counts={"taken_workers": 5, "processed": 5}, taken={100: 5})
    assert check([books(0), taken], [books(0), books(1)]).balanced
    assert check([books(0), taken], [books(0), books(1)]).whole.in_flight == -5
    assert check([sent, books(1)], [books(0), books(1)]).balanced
    assert not check([sent, books(1)], [sent, books(1)]).balanced


def test_a_shard_that_lost_its_store_is_a_term_of_its_own():
    """What the lost store had acknowledged stays passed on, and what it had sent stays arrived."""
    counts = {"accepted_agents": 7, "emitted_workers": 7, "emitted_before": 5, "taken_workers": 3, "processed": 3}
    sent = books(0, counts=counts, emitted={1: 2}, outbox={1: 2}, acknowledged={1: 0}, taken={999: 3})
    ledger = check([sent, books(1)])
    assert ledger.whole.problems == []
    assert (ledger.whole.arrived, ledger.whole.passed_on, ledger.whole.in_flight) == (3, 5, 2)
    assert adds_up(ledger.whole)
    assert adds_up(ledger.shards[0])
