"""A runtime is backed up while it works, and another one goes on from what was copied."""

import asyncio
import threading
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

import caxton
from caxton.acl.message import Message
from caxton.client.calls import backup_calls
from caxton.client.calls.backup_calls import _Taking
from caxton.client.routes.receipts import Receipt
from caxton.demo.cast import COUNTER_WASM, SPLITTER_WASM
from caxton.demo.report import Report, question
from caxton.errors import (
    ConfigurationError,
    NetworkError,
    ResourceExhausted,
    ShardUnavailable,
    StorageDamaged,
    StorageError,
    StorageFull,
    Timeout,
)
from caxton.supervisor.premises.backups import restore, verify
from caxton.testing import eventually, runtime

WORKERS = 2
# A shard whose worker was killed is started again, however often.
OPTIONS = ("--restart-limit", "1000")
# A counter's state has room for some thousand words, and every word is another one.
COUNTERS, SPLITTERS = 64, 4
BATCH = 50
PRESENT = {"audit.db", "identity", "manifest.json", "modules", "shard-0.db", "shard-1.db"}


def quiet(_bytes):
    pass


def word(number):
    return b"w%d" % number


@pytest.fixture
async def cast(client, request):
    """Splitters and counters on both shards: nearly every word goes from one shard to the other or back."""
    name = request.node.name[:40]
    splitters = await client.deploy_many(
        [caxton.Deployment(f"{name}-s{n}", SPLITTER_WASM, encoding="msgpack") for n in range(SPLITTERS)]
    )
    counters = await client.deploy_many(
        [caxton.Deployment(f"{name}-c{n}", COUNTER_WASM, encoding="msgpack") for n in range(COUNTERS)]
    )
    assert {view.shard for view in await client.agents()} == {0, 1}
    yield splitters, counters, f"{name}-c {COUNTERS}\n".encode()
    await client.remove_many([*splitters, *counters])


@asynccontextmanager
async def load(client, cast):
    """Send words, each of them once, for the block: yields the list of those that were acknowledged, as it grows."""
    splitters, _, header = cast
    acknowledged = []

    async def send():
        number = 0
        while True:
            numbers = range(number, number + BATCH)
            number += BATCH
            batch = [Message(splitters[n % SPLITTERS], header + word(n)) for n in numbers]
            results = await client.send_batch(batch)
            acknowledged.extend(n for n, result in zip(numbers, results, strict=True) if isinstance(result, Receipt))

    async with asyncio.TaskGroup() as group:
        sending = group.create_task(send())
        try:
            yield acknowledged
        finally:
            sending.cancel()


async def counted(client, counters):
    """How often each word was counted, once nothing is under way any more."""

    async def settled():
        ledger = await client.ledger()
        assert ledger.balanced, ledger.whole.problems
        return not (ledger.whole.pending or ledger.whole.in_flight)

    await eventually(settled, 60.0)
    answers = await client.request_many([Message(counter, question(10_000)) for counter in counters], deadline_s=60.0)
    return dict(entry for answer in answers for entry in Report.parse(answer.content).top)


async def test_what_was_acknowledged_before_is_there_once(served, client, cast, tmp_path):
    """Under load between shards, with everything killed afterwards: nothing is lost and nothing happens twice."""
    _, counters, _ = cast
    async with load(client, cast) as acknowledged:

        async def more(than):
            async def there():
                return len(acknowledged) > than

            await eventually(there, 60.0)

        backups = []
        for turn in range(2):
            await more(len(acknowledged) + 4 * BATCH)
            before = set(acknowledged)
            backups.append((before, await client.backup(tmp_path / str(turn))))

    served.kill()
    served.start()
    for turn, (before, backup) in enumerate(backups):
        again = runtime(WORKERS)
        assert verify(tmp_path / str(turn), quiet)[0] == backup
        assert restore(tmp_path / str(turn), again.data_dir, quiet).durable.balanced
        async with again, again.connect() as other:
            found = await counted(other, counters)
        assert {word(n) for n in before} - found.keys() == set()
        assert set(found.values()) == {1}


@pytest.fixture
def at_the_end(monkeypatch):
    """Lets a test do something when every shard is copied but for its last slice, before they stand still."""
    ending = _Taking._end_at_once

    def install(step):
        async def end(taking):
            await step()
            return await ending(taking)

        monkeypatch.setattr(_Taking, "_end_at_once", end)

    return install


async def test_a_backup_that_is_cancelled_leaves_nothing(client, tmp_path, at_the_end):
    """What was copied is removed; the next backup may be taken at once, into the same directory."""
    directory, copied = tmp_path / "b", asyncio.Event()

    async def wait():
        copied.set()
        await asyncio.Event().wait()

    at_the_end(wait)
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(client.backup(directory))
        await copied.wait()
        there = {path.name for path in directory.iterdir()}
        taking.cancel()
    at_the_end(copied.wait)

    assert there == {"audit.db", "manifest.json.new", "shard-0.db", "shard-1.db"}
    assert taking.cancelled()
    assert not directory.exists()
    assert (await client.backup(directory)).shards == WORKERS


async def test_a_shard_that_dies_meanwhile_ends_the_backup(served, client, tmp_path, at_the_end):
    """It says so, leaves nothing, and a backup is taken when the shard serves again."""
    directory, killed = tmp_path / "b", []

    async def kill():
        if not killed:
            killed.append(await served.kill_worker(1))

    directory.mkdir(mode=0o700)
    at_the_end(kill)
    with pytest.raises((NetworkError, StorageError)):
        await client.backup(directory)
    assert list(directory.iterdir()) == []

    async def taken():
        with suppress(ShardUnavailable):
            return await client.backup(directory)

    assert (await eventually(taken)).shards == WORKERS


async def test_of_several_backups_at_once_one_is_taken(served, client, tmp_path):
    """Each time, whoever begins: the others are refused and leave nothing, also those of the same client."""
    async with served.connect() as other, served.connect() as third:
        for turn in range(3):
            directories = [tmp_path / f"{turn}-{number}" for number in range(4)]
            calls = [who.backup(path) for who, path in zip((client, client, other, third), directories, strict=True)]
            told = await asyncio.gather(*calls, return_exceptions=True)
            taken = [path for path, one in zip(directories, told, strict=True) if not isinstance(one, Exception)]
            assert taken
            assert {type(one) for one in told if isinstance(one, Exception)} <= {ResourceExhausted}
            assert [path for path in directories if path.exists()] == taken
            for path in taken:
                verify(path, quiet)


async def test_a_directory_that_cannot_be_is_told(client, tmp_path):
    """With what is wrong with it; what was made above it is gone, too."""
    for directory, says in (
        (5, "5 is not a path"),
        ("a\0b", "NUL"),
        (str(tmp_path / "a\udcffb"), "not UTF-8"),
        (tmp_path / ("a" * 250) / ("b" * 250), "longer than SQLite takes"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            await client.backup(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup_calls, "write_manifest", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await client.backup(tmp_path / "a" / "b" / "c")

    assert list(tmp_path.iterdir()) == []


async def test_one_backup_at_a_time(served, client, tmp_path, at_the_end):
    """Another client's is refused while one is taken, and leaves that one alone."""
    refused = []

    async def try_another():
        async with served.connect() as other:
            with pytest.raises(ResourceExhausted, match="backups of shard"):
                await other.backup(tmp_path / "c")
            refused.append(other)

    at_the_end(try_another)

    assert (await client.backup(tmp_path / "b")).shards == WORKERS
    assert len(refused) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


async def test_a_backup_that_is_cancelled_at_its_end_leaves_nothing(client, tmp_path, monkeypatch):
    """What is copied on a thread by then is given up between two pieces, and waited for, before anything is removed."""
    begun, over, ended = threading.Event(), threading.Event(), threading.Event()

    def long(_source, target, _most, tell):
        begun.set()
        try:
            while not over.wait(0.001):
                tell(1)
        finally:
            target.write_bytes(b"")
            ended.set()
        return 0, ""

    monkeypatch.setattr(backup_calls, "copy_file", long)
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(client.backup(tmp_path / "b"))
        await asyncio.to_thread(begun.wait)
        taking.cancel()
    waited = ended.is_set()
    over.set()

    assert waited
    assert taking.cancelled()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("limit", ["MOMENT_S", "STALL_S"])
async def test_no_backup_waits_without_an_end(client, tmp_path, monkeypatch, limit):
    """Shards that have more to copy each time they are to stand still, or a copy that never is on the disk."""
    asked = _Taking._each

    async def never(taking, step):
        if limit == "MOMENT_S" and step == "hold":
            return [msgspec.structs.replace(state, did=False) for state in await asked(taking, "look")]
        return [msgspec.structs.replace(state, done=False) for state in await asked(taking, step)]

    monkeypatch.setattr(_Taking, "_each", never)
    monkeypatch.setattr(backup_calls, limit, 0.2)
    with pytest.raises(Timeout, match=f"no answer within {0.2} s"):
        await client.backup(tmp_path / "b")

    assert not (tmp_path / "b").exists()


async def test_two_backups_into_one_directory(client, served, tmp_path, at_the_end):
    """The second one is refused and leaves what the first has copied, whenever it looks."""
    directory, looks = tmp_path / "b", _Taking._check_empty

    async def try_another(text, look):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_Taking, "_check_empty", look)
            async with served.connect() as other:
                with pytest.raises(ConfigurationError, match=text):
                    await other.backup(directory)

    def looked_before(taking, own=""):
        if own:
            looks(taking, own)

    async def try_others():
        await try_another("not empty", looks)
        await try_another("another backup", looked_before)

    at_the_end(try_others)
    backup = await client.backup(directory)
    await try_another("not empty", looked_before)

    assert verify(directory, quiet)[0] == backup
    assert {path.name for path in directory.iterdir()} == PRESENT


async def test_a_module_that_is_not_what_it_was_is_told(served, client, cast, tmp_path):
    """Nobody finds out at the restore that an agent cannot be made any more."""
    path = next((served.data_dir / "modules").glob("*.wasm"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    try:
        with pytest.raises(StorageDamaged, match=f"{path.name}.*sha256"):
            await client.backup(tmp_path / "b")
    finally:
        path.write_bytes(whole)

    assert not (tmp_path / "b").exists()


async def test_a_full_disk_says_what_to_do(client, tmp_path, monkeypatch):
    """Nothing of a backup goes on by itself, as what waits in a shard does."""

    async def full(*_):
        raise StorageFull("b/shard-0.db", "no room")

    monkeypatch.setattr(_Taking, "_until", full)
    with pytest.raises(StorageFull, match="try again"):
        await client.backup(tmp_path / "b")


async def test_no_room_is_told_before_anything_is_copied(client, tmp_path, monkeypatch):
    """Where the backup and some room to spare do not fit, nothing is begun."""
    monkeypatch.setattr("caxton.store.backup.room.SPARED_BYTES", 1 << 62)
    with pytest.raises(StorageFull, match="free"):
        await client.backup(tmp_path / "b")
    assert not (tmp_path / "b").exists()
