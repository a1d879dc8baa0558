"""Who is slow or stopped: a worker under SIGSTOP, a slow consumer among fast ones, two agents that flood each other."""

import asyncio
import os
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

from caxton.client.client import Client
from caxton.errors import CaxtonError, QueueFull
from faultlab.cases.kills import close, let_pass
from faultlab.cast import deploy_relay, name_on
from faultlab.child import Child
from faultlab.lab import Lab
from faultlab.row import Row, Show, at
from faultlab.serial import Serial, relayed

_HUNG_TIMEOUT_S = 30.0
_REFUSED_WITHIN_S = 0.1
_MOST_GROWTH_BYTES = 64 << 20
_MOST_SLOWER = 1.2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Each hop doubles: so many leaves for every root.
_HOPS = 9
_ROOTS = 8
_FLOOD_TIMEOUT_S = 60.0


def worker_stopped(runs: int, show: Show) -> Row:
    """Stop a worker: it is killed and reaped before its successor starts, and nobody hears the old one any more."""
    row = Row("10", "SIGSTOP a worker", runs)
    with Lab() as lab:
        writer = lab.start_writer(window=8)
        for run in range(runs):
            show(run, f"stop {run + 1} of {runs}")
            let_pass(writer, 5)
            shard, place = run % lab.shards, len(lab.served.events)
            pid = lab.served.worker_pid(shard)
            os.kill(pid, signal.SIGSTOP)
            stopped_ns = time.monotonic_ns()
            again = lab.served.running.event("worker_restarted", after=place, timeout_s=_HUNG_TIMEOUT_S)
            row.claim(not Path(f"/proc/{pid}").exists(), f"process {pid} was there when its successor was ready")
            row.claim(again["shard"] == shard, f"shard {again['shard']} was restarted instead of {shard}")
            row.recoveries_s.append(lab.acknowledged_after(writer, stopped_ns, shard))
        close(lab, row, writer)
    return row


def slow_consumer(runs: int, show: Show) -> Row:
    """Pause one recorder among fast ones: its senders are held, memory is bounded, the others are as fast as before.

    A run is 100 calls of the fast ones, before and during.
    """
    row = Row("11", "one slow consumer among fast ones", runs)
    with Lab() as lab:
        slow, fast = lab.places[0].recorder, lab.places[1].recorder
        writer = lab.start_writer([(fast, 1, "")], window=2)
        let_pass(writer, 20)
        show(0, "before")
        before, size = _latencies_s(writer, 100 * runs), _resident_bytes(lab)
        lab.ask(Client.pause, slow)
        held = lab.start_writer([(slow, 0, "")], window=2, batch=256, timeout_s=120.0)
        lab.until(lambda: lab.ask(_refused_s, slow) is not None, "the mailbox is full", 30.0)
        show(runs / 2, "during")
        during, grown = _latencies_s(writer, 100 * runs), _resident_bytes(lab) - size
        refused_s = lab.ask(_refused_s, slow)
        row.claim(refused_s is not None and refused_s <= _REFUSED_WITHIN_S, f"QueueFull came after {refused_s} s")
        row.claim(grown <= _MOST_GROWTH_BYTES, f"the runtime grew by {grown >> 20} MiB")
        ratio = _p99(during) / _p99(before)
        row.notes["p99 of the fast, % of before"] = round(100 * ratio)
        row.claim(
            ratio <= _MOST_SLOWER or runs < _RUNS_THAT_MEASURE, f"p99 of the fast ones is {ratio:.2f} times higher"
        )
        lab.ask(Client.resume, slow)
        close(lab, row, writer, held)
    return row


def flood(runs: int, show: Show) -> Row:
    """Let two agents on two workers answer each message with two to the other: no stall, and the books balance."""
    row = Row("11b", "two agents emit two messages per message to each other", runs)
    with Lab() as lab:
        names = lab.ask(_doubling, lab.shards)
        for run in range(runs):
            show(run, f"flood {run + 1} of {runs}")
            row.acknowledged += _ROOTS
            row.recoveries_s.append(_one_flood(lab, names, run))
        ledger = lab.ledger()
        row.claim(ledger.balanced, f"the ledger does not balance: {ledger}")
        lab.collect()
        leaves = Counter(each.serial for each in lab.recorded if each.delivery_count < 2)  # noqa: PLR2004 (the first)
        row.double += sum(count - (1 << _HOPS) for count in leaves.values() if count > 1 << _HOPS)
    return row


def backlog_on_disk(runs: int, show: Show) -> Row:
    """Let more wait for a recorder that is paused than memory keeps, and kill its worker meanwhile."""
    row = Row("11c", "a backlog beyond memory, kill -9 of its worker", runs)
    for first in range(0, runs, _KILLS_IN_A_LAB):
        with Lab() as lab:
            slow, shard = lab.places[0].recorder, lab.places[0].shard
            lab.ask(Client.pause, slow)
            relays = [target for target in lab.relayed() if target[2] == slow]
            writer = lab.start_writer(relays, window=4, batch=256, count=_BEYOND_MEMORY)
            writer.event("written", timeout_s=_FLOOD_TIMEOUT_S)
            for run in range(first, min(runs, first + _KILLS_IN_A_LAB)):
                show(run, f"kill {run + 1} of {runs}")
                killed_ns = lab.served.kill_worker(shard)
                lab.until(partial(lab.ask, _on_disk, shard), "its successor has it on disk", _FLOOD_TIMEOUT_S)
                row.recoveries_s.append((time.monotonic_ns() - killed_ns) / 1e9)
                time.sleep(_LIFE_S)
            lab.ask(Client.resume, slow)
            close(lab, row, writer)
    return row


async def _on_disk(client: Client, shard: int) -> int:
    return int((await client.stats()).workers[shard].get("on_disk", 0))


# Three times what memory keeps of an agent that has no turns. All of it is handled before it is 30 s old.
_BEYOND_MEMORY, _KILLS_IN_A_LAB, _LIFE_S = 12_000, 3, 1.1
_RUNS_THAT_MEASURE = 10


def _one_flood(lab: Lab, names: list[str], run: int) -> float:
    """Return the seconds until every leaf is accounted for; raises Timeout."""
    route = [names[hop % 2] for hop in range(1, _HOPS)] + [lab.places[0].recorder]
    began_s = time.monotonic()
    serials = lab.ask(_send_roots, names[0], route, run)
    lab.until(lambda: _leaves(lab, serials) >= _ROOTS << _HOPS, "all leaves are there", _FLOOD_TIMEOUT_S)
    return time.monotonic() - began_s


async def _doubling(client: Client, shards: int) -> list[str]:
    names = [name_on(client, shards, shard, "d") for shard in range(2)]
    for name in names:
        await deploy_relay(client, name, copies=2)
    return names


async def _send_roots(client: Client, first: str, route: list[str], run: int) -> set[Serial]:
    serials = [Serial(1_000 + run, number) for number in range(_ROOTS)]
    for serial in serials:
        content = serial.encode()
        for name in reversed(route):
            content = relayed(name, content)
        await client.send(first, content)
    return set(serials)


def _leaves(lab: Lab, serials: set[Serial]) -> int:
    """Count the leaves that were recorded, and those that what died would have had."""
    lab.collect()
    recorded = {each.message_id for each in lab.recorded if each.serial in serials}
    return len(recorded) + lab.ask(_dead_leaves, serials)


async def _dead_leaves(client: Client, serials: set[Serial]) -> int:
    leaves = 0
    async for letter in client.dead_letters(with_content=True):
        content = letter.message.content
        if Serial.ending(content) in serials:
            leaves += 1 << _hops_left(content)
    return leaves


def _hops_left(content: bytes) -> int:
    hops, left = 0, content[: -len(Serial(0, 0).encode())]
    while left:
        hops, left = hops + 1, left[left[0] + 1 :]
    return hops


async def _refused_s(client: Client, receiver: str) -> float | None:
    """Return after how many seconds a send that does not wait was refused with QueueFull, None when it was not."""
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(1.0):
            await client.send(receiver, b"", wait=False)
    except QueueFull:
        return time.monotonic() - began_s
    except (CaxtonError, TimeoutError):
        return None
    return None


def _latencies_s(writer: Child, calls: int) -> list[float]:
    place = len(writer.events)
    let_pass(writer, calls)
    batches = [event for event in writer.events[place:] if event["event"] == "batch"]
    return [(batch["ended_ns"] - batch["sent_ns"]) / 1e9 for batch in batches]


def _p99(latencies_s: list[float]) -> float:
    return at(latencies_s, 0.99) or 0.001


def _resident_bytes(lab: Lab) -> int:
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in lab.served.children()]
    return sum(pages) * _PAGE_BYTES
