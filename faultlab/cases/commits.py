"""Deaths at chosen moments of a commit: just before its fdatasync, and just after it, when nothing has left yet."""

import signal
import time

from faultlab.cases.kills import close, let_pass
from faultlab.dice import dice
from faultlab.lab import Lab
from faultlab.orders import KILL_AFTER_SYNC, KILL_BEFORE_SYNC
from faultlab.row import Row, Show

_SEED = 2
# The fdatasync at which a process dies is a random one of so many to come.
_SYNCS_AHEAD = 20
_GONE_TIMEOUT_S = 30.0


def receiver_killed_after_commit(runs: int, show: Show) -> Row:
    """Kill the receiver after its commit, before the acknowledgement leaves: the resent ones are dropped."""
    row = Row("2", "kill after the receiver's commit, before its acknowledgement", runs)
    with Lab() as lab:
        _kill_at_syncs(lab, row, show, lab.straight(), KILL_AFTER_SYNC)
    return row


def sender_killed_after_outbox(runs: int, show: Show) -> Row:
    """Kill a relay's worker after its outbox is committed, before it is sent: the next one sends it, once."""
    row = Row("3", "kill after the outbox's commit, before the send", runs)
    with Lab() as lab:
        _kill_at_syncs(lab, row, show, lab.relayed(), KILL_AFTER_SYNC)
    return row


def killed_before_done(runs: int, show: Show) -> Row:
    """Kill between an agent's success and its commit: relays in the sandbox, and recorders outside of it in turn."""
    row = Row("4", "kill between an agent's success and the commit", runs)
    with Lab() as lab:
        _kill_at_syncs(lab, row, show, lab.relayed(), KILL_BEFORE_SYNC)
    with Lab(recording=False) as lab:
        _kill_recorders(lab, row, show, runs)
    return row


def _kill_at_syncs(lab: Lab, row: Row, show: Show, targets: list[tuple[str, int, str]], order: str) -> None:
    chance = dice(_SEED)
    writer = lab.start_writer(targets, window=8)
    for run in range(row.runs):
        show(run, f"kill {run + 1} of {row.runs}")
        shard = chance.randrange(lab.shards)
        _kill_at_sync(lab, shard, order, chance.randrange(1, _SYNCS_AHEAD))
        row.recoveries_s.append(lab.acknowledged_after(writer, time.monotonic_ns(), shard))
    close(lab, row, writer)


def _kill_at_sync(lab: Lab, shard: int, order: str, after: int) -> None:
    path = lab.served.orders.give(shard, order, after)
    lab.until(lambda: not path.exists(), "a worker has died at its fdatasync", _GONE_TIMEOUT_S)


def _kill_recorders(lab: Lab, row: Row, show: Show, runs: int) -> None:
    names = [place.recorder for place in lab.places]
    recorder = lab.start_recorder(names)
    writer = lab.start_writer(lab.straight())
    for run in range(runs):
        show(run, f"recorder {run + 1} of {runs}")
        let_pass(writer, 5)
        recorder.event("recorded", after=len(recorder.events), timeout_s=60.0)
        recorder.signal(signal.SIGKILL)
        recorder.kill()
        # That one died at any moment; this one stays in its turns, and surely dies before they are committed.
        staying = lab.start_recorder(names, stays=True)
        staying.event("recorded", timeout_s=60.0)
        staying.signal(signal.SIGKILL)
        staying.kill()
        recorder = lab.start_recorder(names)
    close(lab, row, writer)
    again = row.notes["delivered again, and said so"]
    row.claim(again, "no recorder was killed between its record and the commit: the case shows nothing")
