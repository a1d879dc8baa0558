"""What is no whole backup is refused by name, wherever it is damaged, and nothing is restored from it."""

import asyncio
import json
import os

import pytest

from caxton.errors import ConfigurationError, StorageDamaged, StorageError, StorageFull
from caxton.store.backup.manifest import FORMAT, Backup, BackupFile, look_at_file, read_manifest, write_manifest
from caxton.store.commit import Commit, SourceRow
from caxton.store.commit_mark import mark_path, read_mark
from caxton.store.schema.migrations import SCHEMA_VERSION
from caxton.store.shard_store import ShardStore
from caxton.supervisor.premises.backups import restore, verify
from caxton.supervisor.premises.identity import Identity

SHARDS = 2


def quiet(_bytes):
    pass


async def make_shards(directory, taken=0):
    """Make the files of two shards, the second of which has taken so many messages from the first."""
    stores = [await ShardStore.open(directory / f"shard-{shard}.db", shard) for shard in range(SHARDS)]
    commit = Commit()
    commit.sources = {stores[0].file_id: SourceRow(taken, None)}
    commit.counts.update({"taken_workers": taken, "processed": taken})
    await stores[1].commit(commit)
    for store in stores:
        await store.close()
        mark_path(store.database.path).unlink()


def describe(directory, **changed):
    """Write the manifest that the files in a directory would have."""
    names = ["identity", *(f"shard-{shard}.db" for shard in range(SHARDS))]
    files = [BackupFile(name, *look_at_file(directory / name, 1 << 30, quiet)) for name in names]
    told = {"format": FORMAT, "caxton": "0.1.0", "schema": SCHEMA_VERSION, "taken_at": 1, "held_ms": 2}
    write_manifest(directory, Backup(**(told | {"shards": SHARDS, "files": files} | changed)))


@pytest.fixture
def backup(tmp_path):
    directory = tmp_path / "backup"
    directory.mkdir(mode=0o700)
    Identity.open(directory, SHARDS, SHARDS)
    (directory / "modules").mkdir(mode=0o700)
    asyncio.run(make_shards(directory))
    describe(directory)
    return directory


def test_a_backup_becomes_a_data_directory(backup, tmp_path):
    """It has an identity with later incarnations, and marks, so that nobody takes an older file for one of it."""
    found = restore(backup, tmp_path / "data", quiet)

    assert found.backup == verify(backup, quiet)[0]
    identity = Identity.open(tmp_path / "data", None, 1)
    assert identity.next_incarnation > Identity.open(backup, None, 1).next_incarnation + 1_000
    assert identity.derived_key("marks") == Identity.open(backup, None, 1).derived_key("marks")
    for shard in range(SHARDS):
        assert read_mark(tmp_path / "data" / f"shard-{shard}.mark") is not None
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "data").iterdir()} == {0}


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def replaced_by_link(path):
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def changed_manifest(**changed):
    def change(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


def add_file(name):
    def change(path):
        told = json.loads(path.read_text())
        told["files"].append({"name": name, "size": 1, "sha256": "0" * 64})
        path.write_text(json.dumps(told))

    return change


@pytest.mark.parametrize(
    ("name", "damage", "error"),
    [
        ("shard-1.db", flip, StorageDamaged),
        ("shard-1.db", lambda path: os.truncate(path, path.stat().st_size - 1), StorageDamaged),
        ("shard-0.db", lambda path: path.unlink(), StorageError),
        ("shard-0.db", replaced_by_link, StorageError),
        ("identity", flip, StorageDamaged),
        ("manifest.json", lambda path: path.unlink(), ConfigurationError),
        ("manifest.json", lambda path: path.write_bytes(b"\xff{"), StorageDamaged),
        ("manifest.json", lambda path: path.write_bytes(b"[" * 100_000), StorageDamaged),
        ("manifest.json", replaced_by_link, StorageError),
        ("manifest.json", changed_manifest(format=FORMAT + 1, shards="?"), ConfigurationError),
        ("manifest.json", changed_manifest(schema=SCHEMA_VERSION + 1), ConfigurationError),
        ("manifest.json", changed_manifest(shards=3), StorageDamaged),
        ("manifest.json", changed_manifest(shards=1), StorageDamaged),
        ("manifest.json", changed_manifest(shards=1 << 70), StorageDamaged),
        (
            "manifest.json",
            changed_manifest(files=[{"name": "../x", "size": 1, "sha256": "0" * 64}]),
            StorageDamaged,
        ),
        ("manifest.json", add_file("identity"), StorageDamaged),
        ("manifest.json", add_file("shard-2.db"), StorageDamaged),
        ("manifest.json", add_file(f"modules/{'1' * 64}.wasm"), StorageDamaged),
        ("manifest.json", lambda path: (path.unlink(), os.mkfifo(path)), StorageError),
        ("shard-1.db", lambda path: (path.unlink(), os.mkfifo(path)), StorageError),
        ("shard-1.db", lambda path: (path.unlink(), path.symlink_to("/dev/zero")), StorageError),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(backup, tmp_path, name, damage, error):
    """By verify and by restore, which leaves nothing; the error is a line that says where."""
    damage(backup / name)
    for use in (lambda: verify(backup, quiet), lambda: restore(backup, tmp_path / "data", quiet)):
        with pytest.raises(error) as refused:
            use()
        assert str(backup) in str(refused.value)
        assert "\n" not in str(refused.value)

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "at", "says"),
    [
        ("shard-0.db", 36, "Main freelist"),  # its length
        ("shard-0.db", 63, "of version . of the schema, and its manifest says"),
        ("identity", 0, "not an identity file"),
    ],
)
def test_a_manifest_that_agrees_with_the_damage_helps_nobody(backup, tmp_path, name, at, says):
    """Files are looked through too; what SQLite says in several lines is told in one."""
    raw = bytearray((backup / name).read_bytes())
    raw[at] ^= 1
    (backup / name).write_bytes(raw)
    describe(backup)
    for use in (lambda: verify(backup, quiet), lambda: restore(backup, tmp_path / "data", quiet)):
        with pytest.raises((StorageError, ConfigurationError), match=says) as refused:
            use()
        assert "\n" not in str(refused.value)

    assert not (tmp_path / "data").exists()


def test_no_more_is_read_than_the_manifest_says(backup, tmp_path):
    """A file that is longer, by however much, is refused after one byte more."""
    path = backup / "shard-1.db"
    size = path.stat().st_size
    os.truncate(path, 1 << 40)
    for use in (verify, lambda directory, tell: restore(directory, tmp_path / "data", tell)):
        read = []
        with pytest.raises(StorageDamaged, match=f"shard-1.db: longer than the {size} bytes"):
            use(backup, read.append)
        assert sum(read) == sum(file.size for file in read_manifest(backup).files) + 1

    assert not (tmp_path / "data").exists()


def test_a_manifest_of_any_length_is_refused_at_its_first_wrong_name(backup):
    """However many of its names are wrong: they are not compared with each other."""
    wrong = [{"name": f"w{number}", "size": 1, "sha256": "0" * 64} for number in range(200_000)]
    changed_manifest(files=wrong)(backup / "manifest.json")
    with pytest.raises(StorageDamaged, match="names 'w0'"):
        verify(backup, quiet)


def test_where_there_is_no_room_nothing_is_restored(backup, tmp_path, monkeypatch):
    """It is told before anything is copied."""
    monkeypatch.setattr("caxton.store.backup.room.SPARED_BYTES", 1 << 62)
    with pytest.raises(StorageFull, match="what is restored takes"):
        restore(backup, tmp_path / "data", quiet)

    assert not (tmp_path / "data").exists()


def test_a_path_that_cannot_be_is_refused(backup, tmp_path):
    """With a typed error, whoever reads it."""
    with pytest.raises(StorageError, match="null"):
        restore(backup, tmp_path / "a\0b", quiet)
    with pytest.raises(StorageError, match="null"):
        verify(tmp_path / "a\0b", quiet)
    with pytest.raises(StorageError, match="too long"):
        restore(backup, tmp_path / ("a" * 300), quiet)


def test_copies_of_two_moments_do_not_balance(backup, tmp_path):
    """A shard that has taken more than another one's copy says was sent is no backup, whatever the checksums."""
    for path in backup.glob("shard-*"):
        path.unlink()
    asyncio.run(make_shards(backup, taken=3))
    describe(backup)

    for use in (lambda: verify(backup, quiet), lambda: restore(backup, tmp_path / "data", quiet)):
        with pytest.raises(StorageDamaged, match="0 emitted to shard 1, which has taken 3"):
            use()


def test_only_a_new_or_an_empty_directory_is_restored_into(backup, tmp_path):
    """What is there stays, also where it is a link, or somebody serves it."""
    there, link, shared = tmp_path / "there", tmp_path / "link", tmp_path / "shared"
    for path in (there, shared):
        path.mkdir(mode=0o700)
    (there / "file").write_bytes(b"somebody's")
    link.symlink_to(there)
    shared.chmod(0o755)
    for path, text in ((there, "not empty"), (link, "symbolic link"), (shared, "others may enter")):
        with pytest.raises(ConfigurationError, match=text):
            restore(backup, path, quiet)

    assert [path.name for path in there.iterdir() if path.name != "lock"] == ["file"]
    assert list(shared.iterdir()) == []


def test_a_restore_that_fails_in_its_midst_leaves_nothing(backup, tmp_path, monkeypatch):
    """Whatever ends it, Ctrl-C included; an empty directory that was there is empty again."""
    (tmp_path / "data").mkdir(mode=0o700)

    def interrupted(_bytes):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(backup, tmp_path / "data", interrupted)

    assert {path.name for path in (tmp_path / "data").iterdir()} <= {"lock"}
