"""The supervisor's part of the audit, by the real ways: what is asked, who is killed, what was changed on the disk."""

import asyncio
import json
import os
import re
import resource
import shlex
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

import caxton
from caxton.errors import CaxtonError, StorageError
from caxton.store.audit import read_page
from caxton.testing import runtime as serve
from caxton.wire.audit import ReadAudit, linked

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
CAXTON = [sys.executable, "-P", "-m", "caxton"]


async def rows_of(client, **asked):
    return [row async for row in client.audit(**asked)]


async def test_what_is_asked_of_the_supervisor_is_told_with_its_principal(runtime):
    """Tokens with what they grant, restarts, settings; in one order of time with what is done in shards."""
    async with runtime.connect() as owner, caxton.connect(runtime.runtime_dir, principal="token:7") as other:
        made = await owner.create_token("grafana", "viewer", agents=["shop-*"])
        await owner.deploy("watched", ECHO)
        await other.restart(1)
        async for _ in owner.events(kinds=["worker_restarted"], follow=True):
            break
        await other.change_settings({"runtime.log_level": "debug"})
        await owner.revoke_token(made.about.token_id)
        rows = await rows_of(owner)
        assert await owner.verify_audit() == []

    told = [(row.action, row.principal, row.subject, row.outcome) for row in rows if row.action != "anchor"]
    token = f"token:{made.about.token_id}"
    assert told == [
        ("start", "", "caxton:runtime", "for the first time"),
        ("create_token", "", token, "grafana: role viewer, agents shop-*"),
        ("deploy", "", "watched", "done"),
        ("restart", "token:7", "shard 1", "asked"),
        ("change_setting", "token:7", "runtime.log_level", "to debug"),
        ("revoke_token", "", token, "grafana"),
    ]


async def test_rows_are_told_a_page_at_a_time_and_chosen(runtime):
    """Newest first or oldest first, by action and principal; a cursor of another list is refused."""
    async with runtime.connect() as client:
        for number in range(7):
            await client.create_token(f"t{number}", "viewer")
        found, cursor = [], ""
        while cursor is not None:
            page = await client.audit_page(3, after=cursor, action="create_token", newest_first=True)
            found += [row.outcome[:2] for row in page.rows]
            cursor = page.next
        assert found == [f"t{number}" for number in reversed(range(7))]
        page = await client.audit_page(1)
        with pytest.raises(caxton.errors.ValidationError, match="cursor"):
            await client.audit_page(1, after=page.next, newest_first=True)
        assert await rows_of(client, principal="nobody") == []
        assert {row.action for row in await rows_of(client, principal="runtime")} == {"anchor"}


async def test_a_worker_that_is_killed_is_an_incident(runtime):
    """Nobody asked for it: it is the runtime's own, with how it ended."""
    async with runtime.connect() as client:
        pid = (await client.health()).workers[0].pid
        os.kill(pid, signal.SIGKILL)
        async for event in client.events(kinds=["worker_restarted"], follow=True):
            assert event.shard == 0
            break
        (row,) = await rows_of(client, action="worker_died")
    assert (row.principal, row.subject) == ("runtime", "shard 0")
    assert f"pid {pid}, killed by SIGKILL" in row.outcome


async def test_how_a_run_ended_stands_at_the_start_of_the_next(runtime):
    """After a stop, and after a crash; who asked for the stop, and that the end was clean."""
    async with runtime.connect() as client:
        assert [row.action for row in await rows_of(client, subject="caxton:runtime")] == ["start"]
    subprocess.run([*CAXTON, "stop", "--runtime-dir", str(runtime.runtime_dir)], capture_output=True, check=True)
    runtime.stop()
    runtime.start()
    runtime.kill()
    runtime.start()
    async with runtime.connect() as client:
        rows = await rows_of(client, subject="caxton:runtime")
        assert await client.verify_audit() == []
    assert [(row.action, row.outcome) for row in rows] == [
        ("start", "for the first time"),
        ("stop", "asked"),
        ("stop", "clean"),
        ("start", "after a stop"),
        ("start", "after a crash"),
    ]


def written_anew(db, number):
    """Change a row of a shard's chain, and every hash from there on, and the head."""
    rows = read_page(db, ReadAudit()).rows
    previous = b""
    for row in rows:
        principal = "token:7" if row.number == number else row.principal
        new = linked(
            caxton.wire.audit.Entry(row.at, row.action, principal, row.subject, row.outcome),
            row.chain,
            row.number,
            previous,
        )
        sql = "UPDATE audit SET principal = ?, previous = ?, hash = ? WHERE number = ?"
        db.execute(sql, (new.principal, new.previous, new.hash, new.number))
        previous = new.hash
    db.execute("UPDATE audit_heads SET hash = ?", (previous,))
    db.commit()


def cut(db, number):
    """Cut a chain behind a row, with a head that fits."""
    db.execute("DELETE FROM audit WHERE number > ?", (number,))
    db.execute("UPDATE audit_heads SET last = ?1, hash = (SELECT hash FROM audit WHERE number = ?1)", (number,))
    db.commit()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (written_anew, "rows were written anew, of 1 to 3"),
        (cut, "row 2 is gone: an anchor has the hash of row 3"),
    ],
)
def test_anchors_find_what_was_changed_in_a_shards_file_while_it_was_stopped(change, fault, command):
    """Though all of its own hashes fit; a runtime of its own rows says nothing of it."""
    with serve(workers=1) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("watched", ECHO)
            client.pause("watched")
            client.resume("watched")
            assert client.verify_audit() == []
        served.stop()
        with closing(sqlite3.connect(served.data_dir / "shard-0.db")) as db:
            change(db, 1)
        lying = command(served, "verify", "--data-dir", served.data_dir, "-o", "json")
        served.start()
        verified = command(served, "verify", "-o", "json")
        refused = command(served, "verify", "--data-dir", served.data_dir)

    for found in (lying, verified):
        assert found.returncode == 1
        (told,) = json.loads(found.stdout)["faults"]
        assert told.startswith("shard 0, chain ")
        assert fault in told
    assert refused.returncode not in {0, 1} or "in use" in refused.stderr or "serve" in refused.stderr


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_lies_in_a_data_directory_is_verified_without_a_runtime(tmp_path, end, command):
    """When it was stopped; of one that was killed it is said what to do; with a head, and nothing of it is changed."""
    with serve(workers=2) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("watched", ECHO)
        head = command(served, "head").stdout.strip()
        getattr(served, end)()
        before = {path.name: path.read_bytes() for path in served.data_dir.iterdir() if path.is_file()}
        found = command(served, "verify", "--data-dir", served.data_dir, "--head", head)
        after = {path.name: path.read_bytes() for path in served.data_dir.iterdir() if path.is_file()}
        nothing = command(served, "verify", "--data-dir", tmp_path)
        if end == "stop":
            assert (found.returncode, found.stdout) == (0, "the audit is what was written\n")
        else:
            assert found.returncode != 0
            assert "serve and stop it once" in found.stderr
        assert {name: raw for name, raw in after.items() if name != "lock"} == {
            name: raw for name, raw in before.items() if name != "lock"
        }
        assert "no data directory of a runtime" in nothing.stderr


def test_a_head_that_is_kept_elsewhere_finds_a_whole_new_audit(tmp_path, command):
    """As text, as JSON and by itself; one of now fits, one of before does not; what is none is refused."""
    with serve(workers=1) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.create_token("a", "viewer")
        text, values = tmp_path / "head.txt", tmp_path / "head.json"
        text.write_text(command(served, "head").stdout)
        values.write_text(command(served, "head", "-o", "json").stdout)
        told = json.loads(values.read_text())
        assert text.read_text() == f"{told['number']}:{told['hash']}\n"
        for head in (text, values, text.read_text().strip()):
            assert command(served, "verify", "--head", head).returncode == 0
        served.stop()
        (served.data_dir / "audit.db").unlink()
        served.start()
        assert command(served, "verify").returncode == 0
        begun = [event["event"] for event in served.events]
        found = command(served, "verify", "--head", text)
        refused = [command(served, "verify", "--head", head) for head in (tmp_path / "none", "1:2", __file__)]

    assert "audit_begun" in begun
    assert found.returncode == 1
    assert "anchors" in found.stdout
    assert [one.returncode for one in refused] == [1, 1, 1] or {one.returncode for one in refused} == {2}
    assert all("caxton audit head" in one.stderr for one in refused)


async def test_whoever_was_answered_has_a_row_whenever_the_supervisor_is_killed(runtime):
    """Each token that somebody was told of, and no chain is broken, three times over."""
    made = []
    for _ in range(3):
        async with runtime.connect() as client:
            enough, many = asyncio.Event(), len(made) + 10

            async def create(client=client, enough=enough, many=many):
                with suppress(CaxtonError):
                    while True:
                        made.append((await client.create_token("t", "viewer")).about.token_id)
                        if len(made) >= many:
                            enough.set()

            async with asyncio.TaskGroup() as tasks:
                for _ in range(4):
                    tasks.create_task(create())
                await enough.wait()
                await asyncio.to_thread(runtime.kill)
        await asyncio.to_thread(runtime.start)
    async with runtime.connect() as client:
        told = {row.subject.removeprefix("token:") async for row in client.audit(action="create_token")}
        assert await client.verify_audit() == []
        assert [row.outcome for row in await rows_of(client, action="start")][1:] == ["after a crash"] * 3
    assert len(made) >= 30
    assert {*made} <= told


def test_an_audit_that_is_damaged_does_not_keep_a_runtime_from_serving():
    """Health says so, all else is done, and a new one is begun when it is moved away."""
    with serve(workers=1) as served:
        served.stop()
        path = served.data_dir / "audit.db"
        path.write_bytes(b"garbage" * 1_000)
        served.start()
        with caxton.connect_sync(served.runtime_dir) as client:
            health = client.health()
            made = client.create_token("a", "viewer")
            client.deploy("served", ECHO)
            with pytest.raises(StorageError, match=r"audit\.db"):
                client.verify_audit()
            assert [reason.name for reason in health.reasons] == ["audit_unwritten"]
            assert health.status == "degraded"
            path.rename(path.with_name("damaged"))
            client.audit_head()
            rows = [row.subject for row in client.audit(action="create_token")]
            assert client.health().reasons == []
            assert client.verify_audit() == []
    assert rows == [f"token:{made.about.token_id}"]


def test_a_full_disk_keeps_nobody_from_being_served():
    """Health says so, tokens are made and agents deployed meanwhile; the rows are written when there is room again."""
    with serve(workers=1) as served, caxton.connect_sync(served.runtime_dir) as client:
        size = (served.data_dir / "audit.db").stat().st_size
        unlimited = resource.prlimit(served.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(
            served.pid, resource.RLIMIT_FSIZE, (size, unlimited[1])
        )  # no file of its own grows beyond that
        made = []
        for _ in range(200):
            made.append(client.create_token("t", "viewer").about.token_id)
            if [reason.name for reason in client.health().reasons] == ["audit_unwritten"]:
                break
        full = client.health()
        client.deploy("served", ECHO)
        made.append(client.create_token("u", "viewer").about.token_id)
        resource.prlimit(served.pid, resource.RLIMIT_FSIZE, unlimited)
        client.audit_head()
        told = {row.subject.removeprefix("token:") for row in client.audit(action="create_token")}
        assert full.status == "degraded"
        assert client.health().reasons == []
        assert client.verify_audit() == []
        assert told == {*made}


def test_the_page_says_what_works(tmp_path):
    """Every command of docs/audit.md, in its order, where a runtime serves."""
    page = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shell = f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; '
    with serve(workers=1) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("tally", ECHO)
        env = os.environ | {"CAXTON_RUNTIME_DIR": str(served.runtime_dir)}
        ran = subprocess.run(
            ["bash", "-e", "-c", shell + "".join(blocks)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert len(blocks) >= 2
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "the audit is what was written"


def offline(*words):
    """Run a command of a runtime that nobody serves."""
    return subprocess.run([*CAXTON, *map(str, words)], capture_output=True, text=True, check=True)


def test_a_backup_carries_the_audit(tmp_path):
    """With its own beginning in it; what was restored says so, and all of it is whole, also what is done then."""
    backup = tmp_path / "backup"
    with serve(workers=2) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("watched", ECHO)
            client.create_token("a", "viewer")
            head = client.audit_head()
            taken = client.backup(backup)
            client.pause("watched")
            rows = [(row.subject, row.outcome) for row in client.audit(action="back_up")]
            assert client.verify_audit() == []
        served.stop()
        offline("backup", "verify", backup)
        served.data_dir.rename(served.data_dir.with_name("before"))
        offline("restore", backup, "--data-dir", served.data_dir)
        served.start()
        with caxton.connect_sync(served.runtime_dir) as client:
            client.pause("watched")
            told = [(row.action, row.outcome) for row in client.audit() if row.action != "anchor"]
            assert client.verify_audit(f"{head.last}:{head.hash.hex()}") == []

    assert "audit.db" in {file.name for file in taken.files}
    assert rows == [(str(backup), "begun"), (str(backup), "done")]
    assert [action for action, _ in told] == ["start", "deploy", "create_token", "back_up", "restore", "start", "pause"]
    assert told[3] == ("back_up", "begun")
    assert told[5] == ("start", "from a backup")


def test_another_number_of_shards_carries_the_audit():
    """The chains of before are anchored still, wherever they stand, and whoever changes them is found."""
    with serve(workers=2) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            for number in range(6):
                client.deploy(f"watched-{number}", ECHO)
            head = client.audit_head()
        served.stop()
        offline("reshard", "--workers", 3, "--data-dir", served.data_dir)
        served.start(workers=3)
        with caxton.connect_sync(served.runtime_dir) as client:
            client.pause("watched-0")
            assert client.verify_audit(f"{head.last}:{head.hash.hex()}") == []
            rows = [(row.subject, row.outcome) for row in client.audit(action="reshard")]
            assert len([*client.audit(action="deploy")]) == 6
        served.stop()
        with closing(sqlite3.connect(served.data_dir / "shard-0.db")) as db:
            (chain,) = db.execute("SELECT chain FROM audit WHERE action = 'deploy' LIMIT 1").fetchone()
            db.execute("DELETE FROM audit WHERE chain = ?", (chain,))
            db.execute("DELETE FROM audit_heads WHERE chain = ?", (chain,))
            db.commit()
        served.start(workers=3)
        with caxton.connect_sync(served.runtime_dir) as client:
            (fault,) = client.verify_audit()
    assert rows == [("2 to 3 shards", "begun"), ("2 to 3 shards", "done")]
    assert f"chain {chain & (1 << 64) - 1:016x}: it is gone" in fault


async def test_a_backup_that_fails_is_told(runtime, tmp_path):
    """And nothing of the audit's copy is left of it."""
    there = tmp_path / "there"
    there.mkdir(mode=0o700)
    (there / "something").touch()
    async with runtime.connect() as client:
        with pytest.raises(CaxtonError):
            await client.backup(there)
        assert await rows_of(client, action="back_up") == []
        other = tmp_path / "other"
        with pytest.raises(CaxtonError):
            async with asyncio.timeout(60):
                await client.backup(other, progress=lambda *_: runtime_gone(runtime))
        await asyncio.to_thread(runtime.start)
    async with runtime.connect() as client:
        assert await client.verify_audit() == []
    assert not other.exists()


def runtime_gone(runtime):
    """Kill the runtime in the midst of a backup."""
    runtime.kill()
