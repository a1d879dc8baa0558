"""Ends in good order: SIGTERM under load, and a rolling restart with much that waits."""

import time
from itertools import pairwise

from caxton.client.client import Client
from faultlab.cases.kills import close, let_pass, start_again
from faultlab.child import Child
from faultlab.lab import Lab
from faultlab.pace import in_time
from faultlab.row import Row, Show

_DRAINED_S = 10.0
_MOST_PAUSE_S = 3.0
_MESSAGES_A_RUN = 5_000


def terminated(runs: int, show: Show) -> Row:
    """SIGTERM under load: it ends with 0 in time, and whatever was acknowledged is there afterwards."""
    row = Row("20", "SIGTERM under load", runs)
    with Lab() as lab:
        writer = lab.start_writer()
        for run in range(runs):
            show(run, f"end {run + 1} of {runs}")
            let_pass(writer, 10)
            began_ns = time.monotonic_ns()
            code = lab.served.stop()
            took_s = (time.monotonic_ns() - began_ns) / 1e9
            row.claim(code == 0, f"it ended with exit code {code}")
            row.claim(in_time(took_s, _DRAINED_S), f"it took {took_s:.1f} s to end")
            start_again(lab, row)
            row.recoveries_s.append(lab.acknowledged_after(writer, began_ns))
        close(lab, row, writer)
    return row


def restarted(runs: int, show: Show) -> Row:
    """Restart all workers, one after the other, with many messages pending: all arrive, in the order of each pair.

    A run is 5,000 pending messages: 20 runs are 100,000.
    """
    row = Row("21", "rolling restart with pending messages", runs)
    wanted = runs * _MESSAGES_A_RUN
    with Lab(recording=False) as lab:
        names = [place.recorder for place in lab.places]
        lab.start_recorder(names, mailbox_capacity=100_000).kill()
        held = lab.start_writer(lab.straight(), batch=256, count=wanted, timeout_s=120.0)
        held.event("written", timeout_s=600.0)
        writer = lab.start_writer(lab.relayed(), pause_s=0.05)
        let_pass(writer, 5)
        show(runs / 2, "restarting")
        began_ns = time.monotonic_ns()
        before = [worker["incarnation"] for worker in lab.served.health()["workers"]]
        lab.ask(Client.restart)
        lab.until(lambda: _all_new(lab, before), "every worker is a new one", 60.0)
        lab.acknowledged_after(writer, time.monotonic_ns())
        paused_s = _longest_pause_s(writer, began_ns)
        row.recoveries_s.append(paused_s)
        row.claim(in_time(paused_s, _MOST_PAUSE_S), f"nothing was acknowledged for {paused_s:.1f} s")
        lab.start_recorder(names, mailbox_capacity=100_000)
        close(lab, row, held, writer)
        _in_order(lab, row, lab.children.index(held))
    return row


def _all_new(lab: Lab, before: list[int]) -> bool:
    workers = lab.served.health()["workers"]
    ready = all(worker["state"] == "ready" for worker in workers)
    return ready and all(worker["incarnation"] not in before for worker in workers)


def _longest_pause_s(writer: Child, began_ns: int) -> float:
    """Return the longest time in which no call to one of the shards was acknowledged."""
    longest_ns, last = 0, dict[int, int]()
    for event in writer.events:
        if event["event"] == "batch" and event["acknowledged"] and event["ended_ns"] > began_ns:
            before_ns = last.get(event["shard"], began_ns)
            longest_ns = max(longest_ns, event["ended_ns"] - before_ns)
            last[event["shard"]] = event["ended_ns"]
    return longest_ns / 1e9


def _in_order(lab: Lab, row: Row, writer: int) -> None:
    """What one writer sent to one receiver arrives in the order in which it was numbered.

    A writer has several calls under way, so only numbers within one batch are in an order that was asked for.
    """
    first: dict[int, int] = {}
    for place, each in enumerate(lab.recorded):
        if each.serial.writer == writer:
            first.setdefault(each.serial.number, place)
    wrong = sum(first[one] > first[next_] for one, next_ in pairwise(sorted(first)) if one // 256 == next_ // 256)
    row.claim(not wrong, f"{wrong} messages overtook the one before them")
