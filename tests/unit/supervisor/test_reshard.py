"""Another number of shards: everything is there afterwards, whatever ends the change in its midst."""

import asyncio
import os
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Manifest
from caxton.errors import ConfigurationError, StorageError, StorageFull
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from caxton.store.audit import append
from caxton.store.commit import Commit, QueueRow, SourceRow, UnfinishedRow
from caxton.store.directory_lock import DirectoryLock
from caxton.store.ledger import check
from caxton.store.recovered import InQueue
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import DURABLE_ROOT, Waiting, encode_waiting, root_of
from caxton.supervisor.premises import reshard as resharding
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.premises.reshard import BEFORE, MADE, MAKING, check_not_under_way, forget, reshard
from caxton.wire.audit import Entry, ReadAudit
from caxton.wire.audit_check import faults

KEPT = Path(__file__).parents[2] / "data" / "formats" / "directory-2"
SESSION = 1 << 63 | 5
NOW_MS = 4_102_444_800_000


class KilledError(BaseException):
    """As if the process were killed here."""


def quiet(_done, _total):
    pass


@pytest.fixture
def data(tmp_path):
    """A data directory of two shards with everything in it."""
    shutil.copytree(KEPT, tmp_path / "data")
    return tmp_path / "data"


async def read(path):
    """What all shards hold, wherever it stands: agents, messages in their order by receiver, letters, states, keys."""
    shards = Identity.open(path, None, 1).shards
    everything, ledgers = {"waiting": {}, "agents": {}, "states": {}, "keys": set(), "letters": [], "links": []}, []
    for shard in range(shards):
        store = await ShardStore.open(path / f"shard-{shard}.db", shard)
        try:
            found = await store.load()
            ledgers.append(await store.ledger())
            for agent_id, *agent in await StoredAgents(store.database).load():
                assert SlotTable.even(shards).shard_of(agent_id) == shard
                everything["agents"][agent_id] = agent
            for _, waiting in found.waiting:
                message = waiting.message
                assert SlotTable.even(shards).shard_of(message.receiver) == shard
                everything["waiting"].setdefault(message.receiver, []).append((message.content, waiting.attempts))
            everything["states"] |= found.states
            everything["keys"] |= {(row.receiver, row.key, row.answer) for row in found.keys}
            everything["letters"] += [(letter.sender, letter.receiver) for letter in found.dead_letters]
            everything["links"] += [found.outbox, found.targets, found.sources]
        finally:
            await store.close()
    everything["letters"].sort()
    return everything, check(ledgers)


def content(path):
    return asyncio.run(read(path))


def names(path):
    found = (file.name for file in path.iterdir())
    return sorted(name for name in found if not name.startswith((BEFORE, "lock")) and "version" not in name)


@pytest.mark.parametrize("shards", [1, 3, 7, 32])
def test_everything_is_there_in_any_number_of_shards(data, shards):
    """Agents, states, keys and letters as before, what was on its way waits where it goes, and the ledger goes on."""
    before, books = content(data)
    told = []

    found = reshard(data, shards, lambda done, total: told.append((done, total)))

    after, books_after = content(data)
    assert (after["agents"], after["states"], after["keys"]) == (before["agents"], before["states"], before["keys"])
    assert not any(after["links"])
    assert books_after.whole.problems == []
    assert (books_after.whole.accepted, books_after.whole.expired) == (books.whole.accepted, books.whole.expired)
    assert books_after.whole.pending == books.whole.pending + 1 == sum(map(len, after["waiting"].values()))
    assert len(after["letters"]) == len(before["letters"]) + 1, "what was for a client that has ended"
    assert (found.shards_before, found.shards, found.durable.accepted) == (2, shards, books.whole.accepted)
    assert (found.copied.moved, found.copied.ended) == (1, 1)
    assert told[-1][0] <= told[-1][1]
    identity = Identity.open(data, shards, 1)
    assert identity.table_version == 2
    assert names(Path(found.kept)) == ["shard-0.db", "shard-0.mark", "shard-1.db", "shard-1.mark"]
    assert found.earlier == tuple(str(Path(found.kept) / f"shard-{n}.db.version-2") for n in range(2))
    assert reshard(data, 2, quiet).earlier == ()
    assert content(data)[0] | {"links": []} == after | {"links": []}
    assert forget(data) == [str(data / f"{BEFORE}1"), str(data / f"{BEFORE}2")]
    assert not list(data.glob(f"{BEFORE}*"))


def killed_at(monkeypatch, step):
    """End at this step, and do nothing after it; returns how many steps were made."""
    made = Counter()

    def at(act):
        def acting(*arguments, **options):
            made["steps"] += 1
            if made["steps"] > step:
                raise KilledError
            return act(*arguments, **options)

        return acting

    monkeypatch.setattr(Path, "rename", at(Path.rename))
    monkeypatch.setattr(os, "rmdir", at(os.rmdir))
    monkeypatch.setattr(Path, "mkdir", at(Path.mkdir))
    monkeypatch.setattr(os, "unlink", at(os.unlink))  # within shutil.rmtree, too
    monkeypatch.setattr(Identity, "_write", at(Identity._write))
    monkeypatch.setattr(resharding, "sync_directory", at(resharding.sync_directory))
    monkeypatch.setattr(ShardStore, "commit", at(ShardStore.commit))
    return made


@pytest.mark.timeout(600)  # it is tried some forty times
def test_a_change_may_be_killed_at_any_step(data, monkeypatch):
    """It is as it was, and served, or goes on when it is repeated, and is refused to be served until then."""
    before, _ = content(data)
    reshard(shutil.copytree(data, data.with_name("whole")), 3, quiet)
    wanted, _ = content(data.with_name("whole"))
    states = Counter()
    for step in range(100):
        path = shutil.copytree(data, data.with_name(f"killed-{step}"))
        with monkeypatch.context() as patched:
            killed_at(patched, step)
            try:
                reshard(path, 3, quiet)
                break
            except KilledError:
                pass
        if (path / MADE).exists():
            states["under way"] += 1
            with pytest.raises(ConfigurationError, match="run `caxton reshard --workers 3` to its end"):
                check_not_under_way(path)
            with pytest.raises(ConfigurationError, match="to its end"):
                reshard(path, 5, quiet)
        elif Identity.open(path, None, 1).shards == 2:
            states["as it was"] += 1
            assert content(path)[0] == before
        else:
            states["done"] += 1
            assert content(path)[0] == wanted
            continue
        found = reshard(path, 3, quiet)
        assert content(path)[0] == wanted
        assert names(path) == [
            "audit.db",
            "identity",
            "modules",
            *(f"shard-{n}.{end}" for n in range(3) for end in ("db", "mark")),
        ]
        assert names(Path(found.kept)) == ["shard-0.db", "shard-0.mark", "shard-1.db", "shard-1.mark"]
        shutil.rmtree(path)
    assert states["as it was"] > 5
    assert states["under way"] > 10


def test_a_full_disk_leaves_everything_as_it_was(data, monkeypatch):
    """Wherever room ends, the error is StorageFull, nothing is left of the try, and with more room it succeeds."""
    asyncio.run(changed(data, states={min(content(data)[0]["agents"]): bytes(300_000)}))
    before = content(data)
    opened, full = ShardStore.open, 0

    async def with_little_room(path, shard, more):
        store = await opened(path, shard)
        if path.parent.name == MAKING:

            def bound(db):
                (pages,) = db.execute("PRAGMA page_count").fetchone()
                db.execute(f"PRAGMA max_page_count = {pages + more}").fetchall()

            await store.database.run(bound)
        return store

    for more in range(0, 200, 25):  # pages
        with monkeypatch.context() as patched:
            patched.setattr(ShardStore, "open", partial(with_little_room, more=more))
            try:
                reshard(data, 3, quiet)
                break
            except StorageFull:
                full += 1
        assert content(data) == before
        assert not (data / MAKING).exists()
    assert full > 1
    assert Identity.open(data, None, 1).shards == 3


def test_what_cannot_be_is_refused(data, tmp_path):
    """The number that it has, one beyond the bounds, a directory of something else, and one that is served."""
    for number, problem in ((2, "has 2 shards already"), (0, "choose from 1 to 32"), (33, "choose from 1 to 32")):
        with pytest.raises(ConfigurationError, match=problem):
            reshard(data, number, quiet)
    (tmp_path / "other").mkdir(mode=0o700)
    for change in (lambda: reshard(tmp_path / "other", 3, quiet), lambda: forget(tmp_path / "other")):
        with pytest.raises(ConfigurationError, match="no data directory of a runtime"):
            change()
    lock = DirectoryLock(data)
    for change in (lambda: reshard(data, 3, quiet), lambda: forget(data)):
        with pytest.raises(ConfigurationError, match="in use by process"):
            change()
    lock.close()


async def changed(path, **changes):
    """Commit something to shard 0, behind everybody's back."""
    store = await ShardStore.open(path / "shard-0.db", 0)
    commit = Commit()
    for name, value in changes.items():
        setattr(commit, name, value)
    await store.commit(commit)
    await store.close()


def test_books_that_do_not_balance_are_not_carried_over(data):
    """Whoever changes the number of shards starts from a ledger that balances."""
    asyncio.run(changed(data, counts=Counter(processed=1)))
    with pytest.raises(StorageError, match="its books do not balance: shard 0"):
        reshard(data, 3, quiet)
    assert Identity.open(data, None, 1).shards == 2


async def ordered(path):
    """One shard whose rows hold messages of many agents; some of them wait for a retry, one has killed a worker."""
    store = await ShardStore.open(path / "shard-0.db", 0)
    agents = range(1_024, 1_032)
    await StoredAgents(store.database).add([(n, Manifest(f"agent {n}", bytes(32))) for n in agents], 1)

    def waiting(row, place, attempts=0):
        text, options = f"{row} {place}".encode(), {"timeout_ms": 300_000, "flags": DURABLE}
        message = Envelope(bytes([row, place] * 8), 7, SESSION, 1_024 + place % 8, text, **options)
        return Waiting(message, 10**18, NOW_MS + 300_000, attempts, 0)

    commit = Commit()
    for row in (1, 2):
        commit.unfinished.append(UnfinishedRow(row, 32, encode_waiting([waiting(row, n) for n in range(32)])))
    marks = sum(1 << place for place in range(32) if place % 5 == 0)
    commit.done = {1: (marks.to_bytes(4, "little"), marks.bit_count())}
    for number, place in enumerate(range(0, 32, 5), 3):
        message = encode_waiting([waiting(1, place, 1)])
        commit.queued[number] = QueueRow(number, 1_024 + place % 8, 5, 1, 1, 1, message, 1, place)
    commit.charges = {(store.file_id, root_of(3)): 2, (store.file_id, root_of(2, 9)): 1, (0, 1_025): 1}
    commit.charges[SESSION, DURABLE_ROOT | 4] = 1
    commit.sources = {SESSION: SourceRow(64, None)}
    commit.counts = Counter(accepted_clients=64)
    commit.next_number = 20
    await store.commit(commit)
    await store.close()


async def charges(path, shards):
    """Who is charged with deaths: contents of messages, and agents."""
    found = {}
    for shard in range(shards):
        store = await ShardStore.open(path / f"shard-{shard}.db", shard)
        loaded = await store.load()
        for at, waiting in loaded.waiting:
            place = 0 if isinstance(at, InQueue) else at.place
            deaths = loaded.charges.pop((store.file_id, root_of(at.number, place)), 0)
            if deaths:
                found[waiting.message.content] = deaths
        found |= {agent: deaths for (source, agent), deaths in loaded.charges.items() if source == 0}
        assert all(source == 0 for source, _ in loaded.charges)
        await store.close()
    return found


def test_messages_keep_their_order_and_their_charges(tmp_path):
    """Each receiver's messages are as they were, also those that wait for a retry, through several changes."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    Identity.open(path, 1, 1)
    asyncio.run(ordered(path))
    before = content(path)[0]["waiting"]
    for shards in (3, 4, 2, 1):
        reshard(path, shards, quiet)
        assert content(path)[0]["waiting"] == before
        assert asyncio.run(charges(path, shards)) == {b"1 0": 2, b"2 9": 1, 1_025: 1}
    assert AgentState.RUNNING in content(path)[0]["agents"][1_024]


def test_the_audit_stands_in_the_first_file(tmp_path):
    """With the chains of all old files as they stood, in one order of time; the new ones begin their own."""
    path = tmp_path / "data"
    shutil.copytree(KEPT, path)

    async def each(shards, use):
        found = []
        for shard in range(shards):
            store = await ShardStore.open(path / f"shard-{shard}.db", shard)
            await use(store)
            page = await store.audit(ReadAudit())
            found.append((page.rows, page.heads))
            await store.close()
        return found

    async def told(store):
        for number in range(3):
            await store.database.write(lambda db, at=number: append(db, [Entry(at, "pause", "", "a")]))

    before = asyncio.run(each(2, told))
    reshard(path, 3, quiet)
    after = asyncio.run(each(3, told))

    assert [len(rows) for rows, _ in after] == [9, 3, 3]
    assert after[0][0][:6] == sorted((row for rows, _ in before for row in rows), key=lambda row: row.at)
    assert not [fault for found in after for fault in faults(*found)]


def test_no_table_is_left_behind(data):
    """A table that is new in a shard's file has to be copied too, or said to begin anew: then it is added here."""
    copied = {"agents", "agent_versions", "agent_states", "idempotency_keys", "unfinished", "unfinished_done"}
    copied |= {"message_queue", "dead_letters", "charges", "absences", "routes", "audit", "audit_heads"}
    never_written = {"conversations"}
    turned_into_others = {"outbox", "ledger"}
    new = {"meta", "sources", "targets"}

    async def tables():
        store = await ShardStore.open(data / "shard-0.db", 0)
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        found = await store.database.run(lambda db: {name for (name,) in db.execute(names)})
        await store.close()
        return found

    assert asyncio.run(tables()) == copied | turned_into_others | new | never_written
