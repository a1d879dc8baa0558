"""One shard: the lives of its worker, one after the other, and what the supervisor knows of them."""

import asyncio
import os
import random
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from caxton.errors import StorageError
from caxton.supervisor.workforce.child_process import Exit
from caxton.supervisor.workforce.crash_note import CrashNote
from caxton.supervisor.workforce.planned_end import PlannedEnd, Step
from caxton.supervisor.workforce.restart_policy import RestartPolicy
from caxton.supervisor.workforce.turn_watch import TurnWatch
from caxton.supervisor.workforce.worker_process import WorkerProcess
from caxton.wire.control import Heartbeat

# A worker waits for its predecessor's lock (up to 10 s), checks its shard's file and reads back what waits in it.
# Killing one that is at it would only have the next one begin anew, so this is for those that hang.
START_TIMEOUT_S = 60.0
SILENCE_TIMEOUT_S = 5.0
# From here on it is looked how much a silent worker computes: it may be in a turn that lasts.
QUIET_S = 1.0
# What a worker exits with whose file is damaged: another one would find the same.
EXIT_DAMAGED = os.EX_DATAERR


class ShardState(StrEnum):
    """What is shown of a shard."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DRAINING = "draining"
    FAILED = "failed"
    QUARANTINED = "quarantined"


GIVEN_UP = frozenset({ShardState.FAILED, ShardState.QUARANTINED})


class ShardWatch(Protocol):
    """Who is told what becomes of shards."""

    def worker_bound(self, process: WorkerProcess) -> None:
        """A worker's sockets are there."""

    def worker_ready(self, shard: "Shard", process: WorkerProcess) -> None:
        """A worker has loaded its shard."""

    def worker_retiring(self, process: WorkerProcess, phase: int) -> None:
        """A worker is to finish what it has (1), or to end now (2): its successor is to follow."""

    def worker_ended(self, shard: "Shard", process: WorkerProcess, how: Exit, *, planned: bool) -> None:
        """A worker has ended and is reaped; called before its successor starts, or the shard is given up."""

    def worker_hung(self, process: WorkerProcess, why: str) -> None:
        """A worker is being killed because it was silent."""

    def shard_gone(self, shard: "Shard") -> None:
        """A shard has no worker: it waits for its restart, was given up, or drains."""


Launch = Callable[[int, bytes | None, Callable[[Exit], None]], WorkerProcess]


class Shard:
    """Restarts its worker one-for-one, as the policy allows. Lives in the supervisor's loop and main thread."""

    def __init__(
        self,
        number: int,
        launch: Launch,
        policy: RestartPolicy,
        watch: ShardWatch,
        note_of: Callable[[int], CrashNote | None],
    ) -> None:
        self.number = number
        self.state = ShardState.STARTING
        self.process: WorkerProcess | None = None
        self.last_exit: str | None = None
        self.restarts = 0
        self.planned_restarts = 0
        self.heartbeat: Heartbeat | None = None
        self._launch = launch
        self._policy = policy
        self._watch = watch
        self._note_of = note_of
        self._last_crash: bytes | None = None
        self._started_s = 0.0
        self._heard_s = 0.0
        self._ready_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._planned_end: PlannedEnd | None = None
        self._turns = TurnWatch()
        # It was killed in a turn that lasted too long: that is charged as a death in it is.
        self._hung_in_turn = False

    @property
    def incarnation(self) -> int:
        """The incarnation that serves now, 0 while none is ready."""
        return self.process.incarnation if self.process is not None and self._ready_s is not None else 0

    @property
    def settled(self) -> bool:
        """True when its start has come to an end, well or not."""
        return self.state is ShardState.READY or self.state in GIVEN_UP

    @property
    def retiring(self) -> int:
        """The phase of its worker's planned end, 0 when none is under way."""
        return self._planned_end.phase if self._planned_end is not None else 0

    @property
    def counters(self) -> dict[str, int]:
        """What its worker last said of itself."""
        return self.heartbeat.counters if self.heartbeat is not None else {}

    @property
    def note(self) -> CrashNote | None:
        """What its worker says that it is in the middle of."""
        return None if self.process is None else self._note_of(self.process.incarnation)

    def silent_s(self, now_s: float) -> float:
        """Return for how long (monotonic seconds) nothing was heard of its worker; 0 while it has none."""
        return 0.0 if self.process is None else now_s - self._heard_s

    def start(self) -> None:
        """Give the shard a worker. A worker that cannot be spawned counts as one that died."""
        self._timer = None
        self.heartbeat = None
        self._turns, self._hung_in_turn = TurnWatch(), False
        self._started_s = self._heard_s = time.monotonic()
        try:
            self.process = self._launch(self.number, self._last_crash, self._ended)
        except (OSError, StorageError) as error:
            self.last_exit = f"not started: {error}"
            self._plan_restart(0.0, charged=False)
            self._watch.shard_gone(self)

    def heard(self, beat: Heartbeat) -> None:
        """Take a heartbeat of the present worker; the caller has checked its mark and incarnation."""
        process = self.process
        if process is None:
            return
        first, self.heartbeat, self._heard_s = self.heartbeat is None, beat, time.monotonic()
        if first:
            self._watch.worker_bound(process)
        if beat.ready and self._ready_s is None:
            self._ready_s = self._heard_s
            self._last_crash = None
            if self.state is not ShardState.DRAINING:
                self.state = ShardState.READY
            self._watch.worker_ready(self, process)
        if self._planned_end is not None:
            self._planned_end.heard(beat.phase, idle=beat.idle)
            self._go_on(process, self._planned_end)

    def check(self) -> None:
        """Kill a worker that is not ready in time, silent without being in a turn that it may take, or slow to end."""
        process = self.process
        if process is None:
            return
        if self._planned_end is not None:
            self._go_on(process, self._planned_end)
        now_s = time.monotonic()
        if self._ready_s is None:
            if now_s - self._started_s > START_TIMEOUT_S:
                self._kill_hung(process, f"not ready within {START_TIMEOUT_S:g} s")
        elif now_s - self._heard_s > min(QUIET_S, SILENCE_TIMEOUT_S):
            self._check_turn(process, silent_s=now_s - self._heard_s)

    def forgive_silence(self) -> None:
        """Start the clocks anew: the supervisor itself was not running, so nobody was heard."""
        self._started_s = self._heard_s = time.monotonic()

    def retire(self, patience_s: float) -> None:
        """Let the worker finish, end and be followed by another one, which uses up no restart.

        After `patience_s` it ends with what it has then. Without a worker that is ready, nothing happens.
        """
        if self.process is None or self.state is not ShardState.READY:
            return
        self.state = ShardState.DRAINING
        self._planned_end = PlannedEnd(time.monotonic(), patience_s)
        self._watch.worker_retiring(self.process, self._planned_end.phase)

    def revive(self) -> None:
        """Give a shard that was given up another try, with every restart that is allowed."""
        if self.state not in GIVEN_UP:
            return
        self._policy.forget()
        self._follow(0.0)
        self.planned_restarts += 1
        self._watch.shard_gone(self)

    def drain(self) -> None:
        """Restart no more; a worker that is not ready holds nothing and is killed."""
        self._planned_end = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.state not in GIVEN_UP:
            self.state = ShardState.DRAINING
        if self._ready_s is None:
            self.kill()

    def kill(self) -> None:
        """End the worker at once, if there is one."""
        if self.process is not None:
            self.process.kill()

    def _check_turn(self, process: WorkerProcess, silent_s: float) -> None:
        note, stopped = self._note_of(process.incarnation), process.stopped
        hangs = self._turns.hangs(note, time.monotonic_ns(), process.computed_ns, stopped=stopped)
        if not hangs or silent_s <= SILENCE_TIMEOUT_S:
            return
        why = f"no heartbeat for {SILENCE_TIMEOUT_S:g} s"
        if note is not None and note.in_turn:
            self._hung_in_turn = not stopped  # whoever stops a process means no agent in it
            why = f"{why}, in a turn of agent {note.agent:016x} that takes longer than any may"
        self._kill_hung(process, why)

    def _kill_hung(self, process: WorkerProcess, why: str) -> None:
        self.forgive_silence()  # its end takes a moment; say it once
        process.kill()
        self._watch.worker_hung(process, why)

    def _go_on(self, process: WorkerProcess, end: PlannedEnd) -> None:
        step = end.step(time.monotonic())
        if step is Step.STOP:
            self._watch.worker_retiring(process, end.phase)
        elif step is Step.KILL:
            process.kill()

    def _ended(self, how: Exit) -> None:
        process, self.process = self.process, None
        served_s = 0.0 if self._ready_s is None else time.monotonic() - self._ready_s
        self._ready_s = None
        end, self._planned_end = self._planned_end, None
        if process is None:
            return
        self.last_exit = str(how)
        charged = self._is_charged(process, how)
        planned = end is not None and (how.status == 0 or (end.killed and how.by_sigkill))
        # What becomes of the shard is settled before anybody is told, so that no trouble with telling can prevent it.
        if how.status == EXIT_DAMAGED:
            self.state = ShardState.QUARANTINED
        elif planned:
            self.planned_restarts += 1
            self._follow(0.0)
        elif end is not None or self.state is not ShardState.DRAINING:
            self._plan_restart(served_s, charged=charged)
        self._watch.worker_ended(self, process, how, planned=planned)
        self._watch.shard_gone(self)

    def _is_charged(self, process: WorkerProcess, how: Exit) -> bool:
        """Keep the note of a turn that its worker died of, or had to be killed in; another kill is nobody's fault."""
        note = self._note_of(process.incarnation)
        if note is None or not note.in_turn or (how.by_sigkill and not self._hung_in_turn):
            return False
        self._last_crash = note.encode()
        return True

    def _plan_restart(self, served_s: float, *, charged: bool) -> None:
        jitter = random.random()  # noqa: S311 (not a secret)
        if charged:
            wait_s: float | None = self._policy.after_charged_death(served_s, jitter)
        else:
            wait_s = self._policy.after_death(time.monotonic(), served_s, jitter)
        if wait_s is None:
            self.state = ShardState.FAILED
            return
        self.restarts += 1
        self._follow(wait_s)

    def _follow(self, wait_s: float) -> None:
        """Have a worker started after a wait, so that a drain that comes meanwhile can prevent it."""
        self.state = ShardState.RESTARTING
        self._timer = asyncio.get_running_loop().call_later(wait_s, self.start)
