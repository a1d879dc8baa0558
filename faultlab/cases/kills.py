"""Processes that are killed by SIGKILL, at random moments, under durable load: workers, the supervisor, everything."""

import shutil
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from faultlab.child import Child
from faultlab.dice import dice
from faultlab.lab import Lab
from faultlab.pace import in_time
from faultlab.row import Row, Show

READY_S = 5.0
_SEED = 1
# Calls that end before the next fault: a random number of them up to this is the random moment.
_CALLS_BETWEEN = 40
# How long every worker lives at least, and at most, between two kills.
_LIFE_S = 1.1, 2.0
# The sets of one laboratory stay small; the load is well above 5,000 messages a second.
_KILLS_IN_A_LAB, _PAUSE_S = 25, 0.01


def worker_killed(runs: int, show: Show) -> Row:
    """Kill a random worker that has served for a second or more: after shorter lives the policy waits on purpose."""
    row = Row("1", "kill -9 a random worker under durable load", runs)
    chance = dice(_SEED)
    for first in range(0, runs, _KILLS_IN_A_LAB):
        with Lab() as lab:
            began_s = time.monotonic()
            writer = lab.start_writer(pause_s=_PAUSE_S)
            for run in range(first, min(runs, first + _KILLS_IN_A_LAB)):
                show(run, f"kill {run + 1} of {runs}")
                time.sleep(chance.uniform(*_LIFE_S))
                shard = chance.randrange(lab.shards)
                killed_ns = lab.served.kill_worker(shard)
                row.recoveries_s.append(lab.acknowledged_after(writer, killed_ns, shard))
            before, took_s = row.acknowledged, time.monotonic() - began_s
            close(lab, row, writer)
            row.least("acknowledged a second", round((row.acknowledged - before) / took_s))
    return row


def supervisor_killed(runs: int, show: Show) -> Row:
    """Kill the supervisor: no orphan is left after two seconds, and the next start has everything."""
    row = Row("5", "kill -9 the supervisor", runs)
    chance = dice(_SEED)
    with Lab() as lab:
        writer = lab.start_writer()
        for run in range(runs):
            show(run, f"kill {run + 1} of {runs}")
            let_pass(writer, chance.randrange(1, _CALLS_BETWEEN))
            killed_ns = time.monotonic_ns()
            orphans = lab.served.kill_supervisor()
            row.claim(not orphans, f"run {run + 1}: {len(orphans)} children were there 2 s after their supervisor")
            start_again(lab, row)
            row.recoveries_s.append(lab.acknowledged_after(writer, killed_ns))
        close(lab, row, writer)
    return row


def all_killed(runs: int, show: Show) -> Row:
    """Kill everything: each file is whole, and the sets hold."""
    row = Row("6", "kill everything at random moments", runs)
    chance = dice(_SEED)
    with Lab() as lab:
        writer = lab.start_writer()
        for run in range(runs):
            show(run, f"kill {run + 1} of {runs}")
            let_pass(writer, chance.randrange(1, _CALLS_BETWEEN))
            killed_ns = time.monotonic_ns()
            lab.served.kill_all()
            for shard in range(lab.shards):
                found = integrity(lab.served.data_dir, shard)
                row.claim(found == "ok", f"run {run + 1}: integrity_check of shard {shard}: {found}")
            start_again(lab, row)
            row.recoveries_s.append(lab.acknowledged_after(writer, killed_ns))
        close(lab, row, writer)
    return row


def backlog_killed(runs: int, show: Show) -> Row:
    """Kill supervisor and workers in the middle of many messages; the recorder's file and the ledger agree.

    A run is a thousand messages: 100 runs are 100,000.
    """
    row = Row("shell", "many messages, everything killed in the middle", runs)
    wanted = runs * 1_000
    with Lab() as lab:
        writer = lab.start_writer(targets=lab.straight(), batch=256, count=wanted)
        so_far = place = 0
        while so_far < wanted // 2:
            event = writer.event("batch", after=place)
            place = writer.events.index(event, place) + 1
            so_far += event["acknowledged"]
            show(so_far * runs / wanted, "sending")
        killed_ns = time.monotonic_ns()
        lab.served.kill_all()
        start_again(lab, row)
        row.recoveries_s.append(lab.acknowledged_after(writer, killed_ns))
        writer.event("written", timeout_s=600.0)
        close(lab, row, writer)
        agree(lab, row)
    return row


def let_pass(writer: Child, calls: int) -> None:
    """Wait until so many more calls of a writer have ended with an acknowledgement."""
    place = len(writer.events)
    for _ in range(calls):
        event = writer.event("batch", lambda batch: batch["acknowledged"] > 0, after=place, timeout_s=60.0)
        place = writer.events.index(event, place) + 1


def start_again(lab: Lab, row: Row) -> None:
    """Start the runtime, which must be ready in time, or in so many times as long as this machine is slower now."""
    ready_s = lab.served.start()
    row.claim(in_time(ready_s, READY_S), f"ready only after {ready_s:.1f} s")


def close(lab: Lab, row: Row, *writers: Child) -> None:
    """Let writers finish, wait until everything has arrived, judge, and compare the books of the runtime."""
    lab.finish(*writers)
    for writer in writers:
        for event in writer.events:
            row.notes.update(event.get("errors", {}))
    row.add(lab.settle())
    ledger = lab.ledger()
    row.claim(ledger.balanced, f"the ledger does not balance: {ledger}")
    row.claim(not (early := lab.uncovered()), f"{len(early)} acknowledged before an fdatasync could cover them")


def agree(lab: Lab, row: Row) -> None:
    """Compare the ledger with the recorder's file: whatever was acknowledged was processed."""
    whole, recorded = lab.ledger().whole, len({each.serial for each in lab.recorded})
    row.claim(whole.processed >= recorded, f"the ledger says {whole.processed} processed, the recorder {recorded}")
    row.claim(not whole.pending, f"the ledger says that {whole.pending} are pending")


def integrity(data_dir: Path, shard: int) -> str:
    """Return what SQLite's integrity_check says of a copy of a shard's file, with its WAL."""
    with TemporaryDirectory() as directory:
        for path in data_dir.glob(f"shard-{shard}.db*"):
            shutil.copy(path, directory)
        database = sqlite3.connect(Path(directory, f"shard-{shard}.db"))
        try:
            return "; ".join(str(line) for (line,) in database.execute("PRAGMA integrity_check"))
        except sqlite3.Error as error:
            return repr(error)
        finally:
            database.close()
