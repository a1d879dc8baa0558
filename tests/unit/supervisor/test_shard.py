import asyncio
import signal

import pytest

from caxton.errors import StorageError
from caxton.supervisor.workforce.child_process import Exit
from caxton.supervisor.workforce.crash_note import CrashNote
from caxton.supervisor.workforce.restart_policy import RestartPolicy
from caxton.supervisor.workforce.shard import EXIT_DAMAGED, Shard, ShardState
from caxton.wire.control import Heartbeat


class Process:
    def __init__(self, incarnation, on_exit):
        self.incarnation, self.on_exit = incarnation, on_exit
        self.computed_ns, self.stopped = 0, False
        self.killed = 0

    def kill(self):
        self.killed += 1


class Stage:
    """A shard whose workers are told by the test when to live and die; `seen` is what its watch was told, in order."""

    def __init__(self, limit=5):
        self.processes, self.crashes, self.seen = [], [], []
        self.notes, self.refusals = {}, []
        self.again = asyncio.Event()
        self.shard = Shard(0, self.launch, RestartPolicy(limit), self, self.notes.get)
        self.shard.start()

    def launch(self, _number, last_crash, on_exit):
        self.again.set()
        if self.refusals:
            raise self.refusals.pop()
        self.crashes.append(last_crash)
        self.processes.append(Process(len(self.processes) + 1, on_exit))
        return self.processes[-1]

    async def next_launch(self):
        self.again.clear()
        async with asyncio.timeout(30):
            await self.again.wait()

    def beat(self, *, ready=True, phase=0, idle=True):
        own = self.processes[-1].incarnation
        self.shard.heard(Heartbeat(own, bytes(16), 0, ready, phase, idle, {"agents": 3}))

    def die(self, status):
        self.processes[-1].on_exit(Exit(status))

    def worker_bound(self, process):
        self.seen.append(("bound", process.incarnation))

    def worker_ready(self, _shard, process):
        self.seen.append(("ready", process.incarnation))

    def worker_ended(self, _shard, process, _how, *, planned):
        self.seen.append(("retired" if planned else "ended", process.incarnation))

    def worker_retiring(self, process, phase):
        self.seen.append(("drain", process.incarnation, phase))

    def worker_hung(self, process, _why):
        self.seen.append(("hung", process.incarnation))

    def shard_gone(self, shard):
        self.seen.append(("gone", shard.state.value))


async def test_ready_is_not_alive():
    """A worker is bound at its first heartbeat, and serves from the first one that says ready; each is told once."""
    stage = Stage()
    shard = stage.shard

    stage.beat(ready=False)
    assert (shard.state, shard.incarnation, shard.settled) == (ShardState.STARTING, 0, False)
    for _ in range(2):
        stage.beat()

    assert (shard.state, shard.incarnation, shard.settled) == (ShardState.READY, 1, True)
    assert stage.seen == [("bound", 1), ("ready", 1)]
    assert shard.counters == {"agents": 3}


async def test_the_successor_starts_after_the_end_was_told():
    """When a worker ends, that is told before its successor starts; no incarnation serves in between."""
    stage = Stage()
    stage.beat()

    stage.die(1)
    assert (stage.shard.state, stage.shard.incarnation, stage.shard.counters) == (
        ShardState.RESTARTING,
        0,
        {"agents": 3},
    )
    await stage.next_launch()
    stage.beat()

    expected = [("bound", 1), ("ready", 1), ("ended", 1), ("gone", "restarting"), ("bound", 2), ("ready", 2)]
    assert stage.seen == expected
    assert (stage.shard.restarts, stage.shard.last_exit) == (1, "exit code 1")


async def test_a_watch_that_fails_keeps_no_successor_from_starting():
    """What becomes of a shard is settled before its watch is told of an end, so that nothing there can prevent it."""
    stage = Stage()
    stage.beat()

    def fail(*_told, **_more):
        raise OSError("No space left on device")

    stage.worker_ended = fail
    with pytest.raises(OSError, match="No space"):
        stage.die(1)

    await stage.next_launch()
    stage.beat()
    assert (stage.shard.state, stage.shard.restarts) == (ShardState.READY, 1)


async def test_beyond_the_limit_the_shard_is_given_up():
    """After the last allowed restart, a death fails the shard, and nobody is launched any more."""
    stage = Stage(limit=1)
    stage.die(1)
    await stage.next_launch()

    stage.die(1)

    assert stage.shard.state is ShardState.FAILED
    assert stage.shard.settled
    assert stage.seen[-1] == ("gone", "failed")
    assert len(stage.processes) == 2


@pytest.mark.parametrize("refusal", [OSError(11, "no more processes"), StorageError("/data/identity", "disk full")])
async def test_what_cannot_be_launched_counts_as_dead(refusal):
    """A worker that cannot be spawned, or gets no incarnation, is tried again like one that died."""
    stage = Stage()
    stage.refusals.append(refusal)
    stage.die(1)
    await stage.next_launch()
    assert "not started" in stage.shard.last_exit
    await stage.next_launch()

    stage.beat()

    assert stage.shard.state is ShardState.READY
    assert stage.shard.restarts == 2


NOTE = CrashNote(7, 8, 9, 1_000)


@pytest.mark.parametrize(
    ("note", "status", "charged"),
    [
        (NOTE, -signal.SIGSEGV, NOTE.encode()),
        (NOTE, 3, NOTE.encode()),
        (NOTE, -signal.SIGKILL, None),
        (CrashNote(0, 0, 0, 0), -signal.SIGSEGV, None),
        (None, -signal.SIGSEGV, None),
    ],
)
async def test_only_a_death_in_a_turn_is_charged(note, status, charged):
    """The successor is given the note of a turn that was under way, unless the kill came from outside."""
    stage = Stage()
    stage.notes[1] = note
    stage.beat()

    stage.die(status)
    await stage.next_launch()

    assert stage.crashes == [None, charged]


async def test_a_charge_is_kept_until_a_successor_is_ready():
    """A successor that dies before it is ready has stored nothing: the next one gets the charge again, once."""
    stage = Stage()
    stage.notes[1] = NOTE
    stage.beat()
    stage.die(3)
    await stage.next_launch()
    stage.die(3)
    await stage.next_launch()
    stage.beat()
    stage.die(3)
    await stage.next_launch()

    assert stage.crashes == [None, NOTE.encode(), NOTE.encode(), None]


async def test_a_hung_worker_is_killed_once(monkeypatch):
    """Silence is answered by one kill, and not by another at the next check."""
    stage = Stage()
    stage.beat()
    monkeypatch.setattr("caxton.supervisor.workforce.shard.SILENCE_TIMEOUT_S", -1.0)

    stage.shard.check()
    monkeypatch.undo()
    stage.shard.check()

    assert stage.processes[0].killed == 1
    assert stage.seen[-1] == ("hung", 1)


async def test_a_turn_that_its_worker_is_killed_in_is_charged():
    """Who has to be killed in a turn that lasts too long dies of it, and that uses up no restart."""
    stage = Stage(limit=0)
    stage.notes[1] = NOTE
    stage.beat()
    stage.shard._heard_s -= 100.0
    stage.shard.check()
    assert stage.processes[0].killed == 1
    stage.die(-signal.SIGKILL)
    await stage.next_launch()
    stage.beat()
    stage.notes[2] = NOTE
    stage.die(-signal.SIGKILL)  # this time nobody of ours

    assert stage.crashes == [None, NOTE.encode()]
    assert stage.shard.state is ShardState.FAILED


@pytest.mark.parametrize(("note", "stopped"), [(CrashNote(7, 8, 0, 1_000), False), (NOTE, True)])
async def test_a_worker_that_hangs_of_itself_charges_nobody(note, stopped):
    """One that is in no turn, or that somebody stopped, is killed, and that is a death like others."""
    stage = Stage(limit=1)
    stage.notes[1] = note
    stage.beat()
    stage.processes[0].stopped = stopped
    stage.shard._heard_s -= 100.0
    stage.shard.check()
    stage.die(-signal.SIGKILL)
    await stage.next_launch()
    stage.die(-signal.SIGKILL)
    assert stage.crashes == [None, None]
    assert stage.shard.state is ShardState.FAILED


async def test_who_could_not_be_heard_is_forgiven():
    """After the supervisor itself was stopped, silence is counted anew instead of killing everybody."""
    stage = Stage()
    stage.beat()
    stage.shard._heard_s -= 100.0

    stage.shard.forgive_silence()
    stage.shard.check()
    assert stage.processes[0].killed == 0

    stage.shard._heard_s -= 100.0
    stage.shard.check()
    assert stage.processes[0].killed == 1


async def test_in_a_drain_nobody_is_restarted():
    """A drain cancels a restart that was planned, and a worker that ends in it has no successor."""
    stage = Stage()
    stage.die(1)
    stage.shard.drain()
    planned = stage.shard._timer

    other = Stage()
    other.beat()
    other.shard.drain()
    other.die(0)

    assert planned is None
    assert len(stage.processes) == len(other.processes) == 1
    assert other.seen[-1] == ("gone", "draining")


async def test_in_a_drain_a_worker_that_is_not_ready_is_killed():
    """A worker that is still starting holds nothing, so the drain ends it at once; a ready one is asked first."""
    starting, ready = Stage(), Stage()
    ready.beat()

    starting.shard.drain()
    ready.shard.drain()

    assert (starting.processes[0].killed, ready.processes[0].killed) == (1, 0)


async def test_a_failed_shard_stays_failed_in_a_drain():
    """Draining does not hide that a shard had failed."""
    stage = Stage(limit=0)
    stage.die(1)

    stage.shard.drain()

    assert stage.shard.state is ShardState.FAILED


async def test_a_charged_death_uses_up_no_restart():
    """A worker that dies in a turn is replaced, even where no restart is allowed; what kills from outside is not."""
    stage = Stage(limit=0)
    stage.notes |= {1: NOTE, 2: NOTE}
    stage.beat()
    stage.die(-signal.SIGSEGV)
    await stage.next_launch()
    stage.beat()

    stage.die(-signal.SIGKILL)

    assert stage.shard.state is ShardState.FAILED
    assert (stage.shard.restarts, len(stage.processes)) == (1, 2)


async def test_a_damaged_file_quarantines_the_shard():
    """A worker that exits with 65 has no successor, however many restarts are left, until somebody asks for one."""
    stage = Stage()
    stage.beat()

    stage.die(EXIT_DAMAGED)
    quarantined = (stage.shard.state, stage.shard.settled, stage.shard.restarts, stage.seen[-1])
    stage.shard.revive()
    await stage.next_launch()
    stage.beat()

    assert quarantined == (ShardState.QUARANTINED, True, 0, ("gone", "quarantined"))
    assert (stage.shard.state, stage.shard.planned_restarts) == (ShardState.READY, 1)


async def test_a_revived_shard_has_every_restart_again():
    """After another try was asked for, a failed shard may be restarted as often as a new one."""
    stage = Stage(limit=1)
    stage.die(1)
    await stage.next_launch()
    stage.die(1)

    stage.shard.revive()
    for _ in range(2):
        await stage.next_launch()
        stage.die(1)

    assert len(stage.processes) == 4
    assert stage.shard.state is ShardState.FAILED


async def test_a_planned_end_is_drain_then_stop_then_a_successor():
    """A worker that is to retire drains, is told to stop after two idle heartbeats, and is followed at no cost."""
    stage = Stage(limit=0)
    stage.beat()

    stage.shard.retire(100.0)
    for idle in (True, False, True, True):
        stage.beat(phase=1, idle=idle)
    before = list(stage.seen)
    serving = stage.shard.incarnation
    stage.die(0)
    await stage.next_launch()
    stage.beat()

    assert before == [("bound", 1), ("ready", 1), ("drain", 1, 1), ("drain", 1, 2)]
    assert serving == 1
    assert stage.seen[len(before) :] == [("retired", 1), ("gone", "restarting"), ("bound", 2), ("ready", 2)]
    assert (stage.shard.restarts, stage.shard.planned_restarts) == (0, 1)


async def test_a_worker_that_does_not_retire_is_killed(monkeypatch):
    """At the end of its patience a worker is told to stop, then killed; that too was planned."""
    monkeypatch.setattr("caxton.supervisor.workforce.planned_end.STOP_TIMEOUT_S", 0.0)
    stage = Stage(limit=0)
    stage.beat()

    stage.shard.retire(0.0)
    stage.shard.check()
    stage.shard.check()
    stage.die(-signal.SIGKILL)
    await stage.next_launch()

    assert [seen for seen in stage.seen if seen[0] == "drain"] == [("drain", 1, 1), ("drain", 1, 2)]
    assert stage.processes[0].killed == 1
    assert (stage.shard.state, stage.crashes) == (ShardState.RESTARTING, [None, None])


async def test_who_dies_while_it_retires_uses_up_a_restart():
    """A worker that crashes before it was told to stop has died like any other."""
    stage = Stage(limit=0)
    stage.beat()
    stage.shard.retire(100.0)

    stage.die(3)

    assert stage.shard.state is ShardState.FAILED
    assert ("ended", 1) in stage.seen


async def test_only_a_ready_worker_retires():
    """A worker that is starting, or retires already, is left alone."""
    stage = Stage()
    stage.shard.retire(1.0)
    stage.beat()
    stage.shard.retire(1.0)
    stage.shard.retire(1.0)

    assert [seen for seen in stage.seen if seen[0] == "drain"] == [("drain", 1, 1)]


async def test_a_drain_of_all_overrules_a_planned_end():
    """A worker that retires when the runtime drains has no successor."""
    stage = Stage()
    stage.beat()
    stage.shard.retire(100.0)

    stage.shard.drain()
    stage.die(0)

    assert stage.shard.state is ShardState.DRAINING
    assert stage.shard._timer is None
