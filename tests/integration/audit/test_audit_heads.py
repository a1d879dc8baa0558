"""Anchors, and a head that is kept elsewhere, speak for all that was there: in shards and of the supervisor."""

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

import caxton
from caxton.cli.commands import audit
from caxton.cli.output import Format
from caxton.testing import runtime as serve
from caxton.wire.anchors import ANCHOR, anchors_in
from caxton.wire.audit import AnchoredHead, Kind

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"


def cut(db, number):
    """Cut a chain behind a row, with a head that fits."""
    db.execute("DELETE FROM audit WHERE number > ?", (number,))
    db.execute("UPDATE audit_heads SET last = ?1, hash = (SELECT hash FROM audit WHERE number = ?1)", (number,))
    db.commit()


def emptied(db, chain):
    """Take all rows of a chain away, so that it begins anew."""
    db.execute("DELETE FROM audit WHERE chain = ?", (chain,))
    db.execute("UPDATE audit_heads SET first = 1, last = 0, hash = x'' WHERE chain = ?", (chain,))
    db.commit()


def begun_later(db, chain):
    """Take the first row of a chain away."""
    db.execute("DELETE FROM audit WHERE chain = ? AND number = 1", (chain,))
    db.execute("UPDATE audit_heads SET first = 2 WHERE chain = ?", (chain,))
    db.commit()


@pytest.mark.parametrize(
    ("change", "kind", "fault"),
    [
        (emptied, Kind.OPERATIONS, "row 1 is not what was anchored, or is gone"),
        (begun_later, Kind.OPERATIONS, "row 1 is gone: there was room for it"),
        (begun_later, Kind.ANCHORS, "row 1 is gone: there was room for it"),
    ],
)
def test_what_is_gone_from_the_supervisors_file_is_found(change, kind, fault, command):
    """As it lies, and when it was served and anchored again; also with a head that was kept before."""
    with serve(workers=1) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.create_token("a", "viewer")
            client.audit_head()
            client.create_token("b", "viewer")
        head = command(served, "head").stdout.strip()
        served.stop()
        with closing(sqlite3.connect(served.data_dir / "audit.db")) as db:
            (chain,) = db.execute("SELECT chain FROM audit_heads WHERE chain & 7 = ?", (kind,)).fetchone()
            change(db, chain)
        lying = command(served, "verify", "--data-dir", served.data_dir, "-o", "json")
        served.start()
        served.stop()
        served.start()
        verified = [command(served, "verify", "-o", "json", *more) for more in ([], ["--head", head])]

    for found in (lying, *verified):
        assert found.returncode == 1
        (told,) = json.loads(found.stdout)["faults"]
        assert told == f"supervisor, chain {chain & (1 << 64) - 1:016x}: {fault}"


async def test_a_head_speaks_for_what_was_answered_just_before(runtime):
    """The last anchor up to it has the last row of the shard, each time: shards are asked, whatever they said last."""
    async with runtime.connect() as client:
        await client.deploy("watched", ECHO)
        for number in range(20):
            await (client.resume if number % 2 else client.pause)("watched")
            head = await client.audit_head()
            last = [row async for row in client.audit(subject="watched")][-1]
            told = {}
            async for row in client.audit(action=ANCHOR):
                if row.number <= head.last:
                    told |= {one.chain: (one.last, one.hash) for one in anchors_in(row.outcome)}
            assert told[last.chain] == (last.number, last.hash)
            assert head.away == []


async def test_a_row_that_was_answered_before_a_head_cannot_be_cut_off(runtime):
    """Though everything is killed right after it, and the file's account of its chain fits."""
    async with runtime.connect() as client:
        await client.deploy("watched", ECHO)
        await client.audit_head()
        await client.remove("watched")
        head = await client.audit_head()
        await asyncio.to_thread(runtime.kill)
    for file in sorted(runtime.data_dir.glob("shard-?.db")):
        with closing(sqlite3.connect(file)) as db:
            row = db.execute("SELECT number FROM audit WHERE action = 'remove'").fetchone()
            if row is not None:
                cut(db, row[0] - 1)
    await asyncio.to_thread(runtime.start)
    async with runtime.connect() as client:
        for kept in ("", f"{head.last}:{head.hash.hex()}"):
            (fault,) = await client.verify_audit(kept)
            assert "is gone: an anchor has the hash of row" in fault


async def test_a_shard_that_is_away_is_named_with_a_head(runtime):
    """One that does not answer holds up nobody without end."""
    async with runtime.connect() as client:
        pid = (await client.health()).workers[1].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            head = await client.audit_head()
        finally:
            with suppress(ProcessLookupError):  # it was silent for so long that it was ended
                os.kill(pid, signal.SIGCONT)
    assert head.away == [1]


@pytest.mark.parametrize(("away", "hint"), [([], ""), ([1, 3], "shards that did not answer: 1, 3;")])
def test_the_command_says_which_shards_are_away(monkeypatch, capsys, away, hint):
    """On standard error, and in JSON; what is to be kept is the same line."""
    found = AnchoredHead(8, 1, 5, bytes(32), away)
    monkeypatch.setattr(audit, "with_client", lambda *_: found)
    audit.head()
    text = capsys.readouterr()
    assert text.out == f"5:{'00' * 32}\n"
    assert hint in text.err
    audit.head(output=Format.JSON)
    assert json.loads(capsys.readouterr().out)["away"] == away
