"""The disk: a power cut, no room, damage."""

import time

from caxton.client.client import Client
from caxton.errors import CaxtonError, StorageError
from faultlab.cases.kills import close, let_pass, start_again
from faultlab.cast import name_on, tally_module
from faultlab.child import Child
from faultlab.dice import dice
from faultlab.journals import Outcome
from faultlab.lab import Lab
from faultlab.orders import FULL
from faultlab.row import Row, Show

_SEED = 3
_CALLS_BETWEEN = 30
_REFUSAL_TIMEOUT_S = 20.0
# Heartbeats come every 200 ms.
_HEALTH_TIMEOUT_S = 10.0
_TALLY_BYTES = 8


def power_cut(runs: int, show: Show) -> Row:
    """Cut the power: each database and WAL comes back as its last fdatasync left it."""
    row = Row("7", "power cut: files as of their last fdatasync", runs)
    chance = dice(_SEED)
    with Lab() as lab:
        writer = lab.start_writer()
        for run in range(runs):
            show(run, f"cut {run + 1} of {runs}")
            let_pass(writer, chance.randrange(1, _CALLS_BETWEEN))
            cut_ns = time.monotonic_ns()
            lab.served.cut_power()
            start_again(lab, row)
            row.recoveries_s.append(lab.acknowledged_after(writer, cut_ns))
        close(lab, row, writer)
    return row


def disk_full(runs: int, show: Show) -> Row:
    """Let the disk be full: durable sends are refused, the volatile lane runs, and nothing ran twice afterwards."""
    row = Row("8", "disk full", runs)
    with Lab() as lab:
        tally = lab.ask(_deploy_tally, lab.shards)
        counted = lab.start_writer([(tally, 0, "")], apart=True)
        writer = lab.start_writer(lab.straight())
        for run in range(runs):
            show(run, f"full {run + 1} of {runs}")
            let_pass(writer, 10)
            pid = lab.served.worker_pid(0)
            lab.served.orders.give(0, FULL)
            _refused(writer, row)
            answered = lab.ask(Client.request, tally, b"")
            row.claim(len(answered.content) == _TALLY_BYTES, "the volatile lane does not answer")
            row.claim(lab.ask(_refuses, tally), "a durable send was not refused: StorageError")
            row.claim(lab.ask(_refuses_to_pause, tally), "a pause was not refused: StorageError")
            row.claim(_tells_of(lab, "disk_full"), "health does not say that the disk is full")
            room_ns = time.monotonic_ns()
            lab.served.orders.take_back(0, FULL)
            row.recoveries_s.append(lab.acknowledged_after(writer, room_ns, 0))
            row.claim(lab.served.worker_pid(0) == pid, "the worker was restarted")
            row.claim(not _tells_of(lab, "disk_full", holds=False), "health goes on to say that the disk is full")
        lab.finish(counted)
        close(lab, row, writer)
        _compare_tally(lab, row, tally, counted)
    return row


def damaged(runs: int, show: Show) -> Row:
    """Flip a byte of a shard's file, or truncate its WAL: that shard is quarantined and says so, the others serve."""
    row = Row("9", "a flipped byte, a truncated WAL", runs)
    for run in range(runs):
        show(run, f"damage {run + 1} of {runs}")
        with Lab() as lab:
            writer = lab.start_writer()
            let_pass(writer, 10)
            lab.served.kill_all()
            _with_damage(lab, row, truncated=run % 2 == 1)
            started_ns = time.monotonic_ns()
            row.recoveries_s.append(lab.acknowledged_after(writer, started_ns))
            close(lab, row, writer)
    return row


async def _deploy_tally(client: Client, shards: int) -> str:
    name = name_on(client, shards, 0, "tally")
    await client.deploy(name, tally_module())
    return name


async def _refuses(client: Client, receiver: str) -> bool:
    """True when a durable send is refused for the disk; it must not have an effect."""
    try:
        await client.send(receiver, b"more", timeout_s=_REFUSAL_TIMEOUT_S)
    except StorageError:
        return True
    except CaxtonError:
        return False
    return False


async def _refuses_to_pause(client: Client, agent: str) -> bool:
    """True when an operator's call is refused for the disk, at once."""
    try:
        await client.pause(agent)
    except StorageError:
        return True
    except CaxtonError:
        return False
    return False


def _tells_of(lab: Lab, reason: str, *, holds: bool = True) -> bool:
    """Return whether health gives this reason, as soon as that is so, or is as it `holds`."""
    give_up_s = time.monotonic() + _HEALTH_TIMEOUT_S
    while True:
        told = any(each["name"] == reason for each in lab.served.health()["reasons"])
        if told == holds or time.monotonic() >= give_up_s:
            return told


def _refused(writer: Child, row: Row) -> None:
    place = len(writer.events)
    event = writer.event("batch", lambda batch: batch["refused"] > 0, after=place, timeout_s=_REFUSAL_TIMEOUT_S)
    only = [error for error in event["errors"] if "StorageError" not in error and "StorageFull" not in error]
    row.claim(not only, f"refused otherwise than with StorageError: {only}")


def _compare_tally(lab: Lab, row: Row, tally: str, writer: Child) -> None:
    """A guest that was never restarted has counted exactly what was acknowledged."""
    counted = int.from_bytes(lab.ask(Client.request, tally, b"").content, "little")
    sent = lab.apart(writer)
    acknowledged = sum(each.outcome is Outcome.ACKNOWLEDGED for each in sent)
    unknown = sum(each.outcome is Outcome.UNKNOWN for each in sent)
    row.acknowledged += acknowledged
    row.lost += max(0, acknowledged - counted)
    row.double += max(0, counted - acknowledged - unknown)
    row.claim(
        acknowledged <= counted <= acknowledged + unknown,
        f"the guest counted {counted}; {acknowledged} were acknowledged and {unknown} are unknown",
    )


def _with_damage(lab: Lab, row: Row, *, truncated: bool) -> None:
    files = lab.served.data_dir
    kept = {path: path.read_bytes() for path in files.glob("shard-1.*")}
    _damage(lab, truncated=truncated)
    lab.served.start()
    states = {worker["shard"]: worker["state"] for worker in lab.served.health()["workers"]}
    row.claim(states[1] == "quarantined", f"the damaged shard is {states[1]}, not quarantined")
    row.claim(states[0] == "ready", f"the other shard is {states[0]}")
    row.claim(lab.served.health()["status"] == "degraded", "health does not say that it is degraded")
    lab.served.kill_all()
    for path in files.glob("shard-1.*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    lab.served.start()


def _damage(lab: Lab, *, truncated: bool) -> None:
    files = lab.served.data_dir
    wal, database = files / "shard-1.db-wal", files / "shard-1.db"
    if truncated:
        content = wal.read_bytes()
        wal.write_bytes(content[: len(content) // 2])
        return
    victim = wal if wal.stat().st_size > database.stat().st_size else database
    flipped = bytearray(victim.read_bytes())
    flipped[len(flipped) // 2] ^= 0xFF
    victim.write_bytes(flipped)
