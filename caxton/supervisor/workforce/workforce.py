"""All shards with their workers: launched, heard, checked, told who is who, drained."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence

from caxton import __version__
from caxton.config.log_levels import LogLevels
from caxton.config.settings import ServeSettings
from caxton.errors import ConfigurationError, ValidationError
from caxton.links.ledger import TOPOLOGY
from caxton.placement.slot_table import SlotTable
from caxton.supervisor import events
from caxton.supervisor.events import Event
from caxton.supervisor.premises.premises import Premises
from caxton.supervisor.workforce.child_process import Exit
from caxton.supervisor.workforce.crash_note import CrashNote
from caxton.supervisor.workforce.memory_limit import MemoryLimit
from caxton.supervisor.workforce.notices import Notices
from caxton.supervisor.workforce.planned_restarts import PlannedRestarts
from caxton.supervisor.workforce.restart_policy import RestartPolicy
from caxton.supervisor.workforce.roll_call import RollCall
from caxton.supervisor.workforce.run_ledger import RunLedger
from caxton.supervisor.workforce.settling import Settling, flow_between, on_the_way
from caxton.supervisor.workforce.shard import GIVEN_UP, Shard, ShardState
from caxton.supervisor.workforce.worker_process import WorkerProcess
from caxton.wire.control import Heartbeat, Topology
from caxton.wire.spawn_spec import SpawnSpec

# A run's topologies are numbered from its first incarnation on, so they grow over the life of the data directory.
_VERSIONS_PER_INCARNATION_BITS = 20


class Workforce:
    """Lives in the supervisor's loop and main thread. It is the `ShardWatch` of its shards.

    settled: every shard is ready or given up. at_rest: in a drain, nothing is under way. emptied: no worker is left.
    """

    def __init__(
        self,
        premises: Premises,
        command: Sequence[str],
        settings: ServeSettings,
        notices: Notices,
        ledger: RunLedger,
        tell: Callable[[Event], None],
        dropped: Counter[str],
    ) -> None:
        self._premises = premises
        self._runtime_dir = premises.runtime_dir
        self._identity = premises.identity
        self._command = command
        self._notices = notices
        self._ledger = ledger
        self._tell = tell
        self._table = SlotTable.even(self._identity.shards, self._identity.table_version)
        self._version = self._identity.next_incarnation << _VERSIONS_PER_INCARNATION_BITS
        self._settling = Settling()
        self._phase = 0
        # The topology by which clients know that nothing more is taken from them.
        self._drain_version = 0
        self.settled = asyncio.Event()
        self.at_rest = asyncio.Event()
        self.emptied = asyncio.Event()
        self._dropped = dropped
        self._delivery, self._conversations = settings.delivery, settings.conversations
        self._log_levels = settings.log_levels
        # Whether workers are to be told: they know those with which they were started.
        self._levels_changed = False
        self._log_format = settings.log_format
        self._keeps_records = settings.gateway is not None and settings.gateway.otlp
        self.shards = [
            Shard(number, self._launch, RestartPolicy(settings.restart_limit), self, self._note_of)
            for number in range(self._identity.shards)
        ]
        self.roll_call = RollCall(len(self.shards), self._ready, notices.ask_beat)
        self.planned = PlannedRestarts(self.shards, settings.drain_timeout_s, tell)
        limit_mib = settings.worker_memory_limit_mib
        self.memory_limit = MemoryLimit(None if limit_mib is None else limit_mib << 20)

    @property
    def topology(self) -> Topology:
        """Who serves what, as of now, without a mark."""
        incarnations = [shard.incarnation for shard in self.shards]
        states = [shard.state.value for shard in self.shards]
        return Topology(0, b"", self._version, self._table, incarnations, states)

    @property
    def pids(self) -> set[int]:
        """The workers that are not reaped yet."""
        return {shard.process.pid for shard in self.shards if shard.process is not None}

    @property
    def heard_of(self) -> list[int]:
        """The incarnations that live and have spoken: their sockets, books and notes are there."""
        return [
            shard.process.incarnation
            for shard in self.shards
            if shard.process is not None and shard.heartbeat is not None
        ]

    @property
    def modules_marked_ms(self) -> list[int]:
        """When each shard last marked the modules that it uses (ms since 1970); 0 for one that does not serve."""
        beats = [shard.heartbeat if shard.state is ShardState.READY else None for shard in self.shards]
        return [0 if beat is None else beat.condition.modules_ms for beat in beats]

    @property
    def failure(self) -> ConfigurationError | None:
        """Why nobody serves, if every shard was given up."""
        if any(shard.state not in GIVEN_UP for shard in self.shards):
            return None
        if all(shard.state is ShardState.QUARANTINED for shard in self.shards):
            return ConfigurationError(
                str(self._premises.data_dir),
                "the file of every shard is damaged",
                "run `caxton restore` with a backup and a new directory",
            )
        last = self.shards[0].last_exit
        return ConfigurationError(
            "workers", f"each of them died at its start (the last: {last})", "see what they wrote"
        )

    def start(self) -> None:
        """Give every shard a worker."""
        for shard in self.shards:
            shard.start()

    def heard(self, beat: Heartbeat) -> None:
        """Take a heartbeat whose mark is right."""
        shard = self.shards[beat.shard] if 0 <= beat.shard < len(self.shards) else None
        if shard is None or shard.process is None or shard.process.incarnation != beat.source:
            self._dropped["heartbeats of workers that have ended"] += 1
            return
        shard.heard(beat)
        self.roll_call.heard(beat)
        if self._phase == 1 and beat.phase >= 1:
            self._settling.heard(beat.source, idle=beat.idle)
            self._close_round()

    def check(self, *, forgive: bool = False) -> None:
        """Kill workers that are silent for too long; `forgive` when the supervisor itself was not running.

        Planned restarts go on here, and workers beyond their memory limit are added to them.
        """
        for shard in self.shards:
            if forgive:
                shard.forgive_silence()
            shard.check()
            self._check_memory(shard)
        self.planned.step()

    def repeat_notices(self) -> None:
        """Tell everybody again how things stand, in case a notice was lost."""
        self._notices.tell_topology(self.topology)
        if self._levels_changed:
            self._notices.tell_log_levels(self._log_levels)
        if self._phase:
            self._notices.tell_drain(self._phase)
            return
        for shard in self.shards:
            if shard.process is not None and shard.retiring:
                self._notices.tell_drain(shard.retiring, shard.process.incarnation)

    def log_from(self, levels: LogLevels) -> None:
        """Let workers log from these levels on, those that are there and those to come."""
        self._log_levels, self._levels_changed = levels, True
        self._notices.tell_log_levels(levels)

    def drain(self, phase: int) -> None:
        """Let workers refuse sessions and finish (1), or stop (2). Restarts nobody from now on."""
        self._phase = phase
        self.planned.forget()
        for shard in self.shards:
            shard.drain()
        self._changed()
        self._drain_version = self._drain_version or self._version
        self._notices.tell_drain(phase)
        self._look_around()

    def kill(self) -> list[int]:
        """Kill every worker that is left; returns their shards. `emptied` follows when they are reaped."""
        left = [shard.number for shard in self.shards if shard.process is not None]
        for shard in self.shards:
            shard.drain()
            shard.kill()
        self._look_around()
        return left

    def end_unseen(self) -> None:
        """Kill and reap every worker here and now: nobody is left to act on their ends."""
        for shard in self.shards:
            shard.drain()
            if shard.process is not None:
                shard.process.end_unseen()

    # ---- what shards tell

    def worker_bound(self, process: WorkerProcess) -> None:
        """A worker listens: it is told who is who."""
        self._notices.add(process.incarnation)
        self.repeat_notices()

    def worker_ready(self, shard: Shard, process: WorkerProcess) -> None:
        """A worker has loaded its shard."""
        self._changed()
        if shard.restarts or shard.planned_restarts:
            self._tell(events.worker_restarted(shard.number, process.pid, process.incarnation, shard.restarts))

    def worker_retiring(self, process: WorkerProcess, phase: int) -> None:
        """A worker is told to drain, alone."""
        self._notices.tell_drain(phase, process.incarnation)
        self._changed()

    def worker_ended(self, shard: Shard, process: WorkerProcess, how: Exit, *, planned: bool) -> None:
        """A worker is reaped: close its books, remove its files, tell the others."""
        self._ledger.close_worker(process.incarnation)
        self._notices.drop(process.incarnation)
        self._runtime_dir.forget(process.incarnation)
        if planned:
            self._tell(events.worker_retired(shard.number, process.pid, process.incarnation, str(how)))
        elif self._phase == 0:
            self._tell(events.worker_died(shard.number, process.pid, process.incarnation, str(how)))

    def worker_hung(self, process: WorkerProcess, why: str) -> None:
        """A worker is being killed because it was silent."""
        self._tell(events.worker_hung(process.shard, process.pid, why))

    def shard_gone(self, shard: Shard) -> None:
        """A shard has no worker, for now or for good."""
        self._changed()
        if shard.state is ShardState.FAILED and self._phase == 0:
            self._tell(events.shard_failed(shard.number, shard.last_exit or "unknown"))
        elif shard.state is ShardState.QUARANTINED:
            self._tell(events.shard_quarantined(shard.number, str(self._premises.data_dir)))

    def restart(self, number: int | None) -> None:
        """Restart one shard's worker, or all, and try again those that were given up.

        Raises ValidationError for a shard that there is not, ConfigurationError while a restart of all is under way.
        """
        if number is None:
            self.planned.ask_all()
            return
        if number >= len(self.shards):
            raise ValidationError("shard", f"there is no shard {number}; there are 0 to {len(self.shards) - 1}")
        self.planned.ask(self.shards[number])

    # ---- inside

    def _ready(self) -> list[int]:
        return [shard.number for shard in self.shards if shard.incarnation]

    def _launch(self, shard: int, last_crash: bytes | None, on_exit: Callable[[Exit], None]) -> WorkerProcess:
        incarnation = self._identity.draw_incarnation()
        spec = SpawnSpec(
            runtime_dir=str(self._runtime_dir.path),
            data_dir=str(self._premises.data_dir),
            shard=shard,
            incarnation=incarnation,
            supervisor_pid=os.getpid(),
            table=self._table,
            marks_key=self._identity.derived_key("marks"),
            naming_key=self._identity.derived_key("naming"),
            cache_key=self._identity.derived_key("cache"),
            last_crash=last_crash,
            delivery=self._delivery,
            most_sessions=self._premises.room.most_sessions,
            release=__version__,
            conversations=self._conversations,
            log_level=self._log_levels.of_workers,
            log_levels=self._log_levels.modules,
            log_format=self._log_format,
            keeps_records=self._keeps_records,
        )
        process = WorkerProcess(self._command, spec, asyncio.get_running_loop(), on_exit)
        self._ledger.enter(incarnation)
        return process

    def _note_of(self, incarnation: int) -> CrashNote | None:
        return CrashNote.read(self._runtime_dir.crash_note(incarnation))

    def _check_memory(self, shard: Shard) -> None:
        if shard.process is None or shard.state is not ShardState.READY:
            return
        resident_bytes = shard.process.resident_bytes
        limit_bytes = self.memory_limit.exceeded(shard.number, resident_bytes, time.monotonic())
        if limit_bytes is not None:
            self.planned.ask(shard)
            self._tell(events.worker_over_memory(shard.number, shard.process.pid, resident_bytes, limit_bytes))

    def _changed(self) -> None:
        self._version += 1
        self._notices.tell_topology(self.topology)
        self._look_around()

    def _look_around(self) -> None:
        if all(shard.settled for shard in self.shards):
            self.settled.set()
        if self._phase and all(shard.process is None for shard in self.shards):
            self.emptied.set()

    def _close_round(self) -> None:
        living = {shard.process.incarnation for shard in self.shards if shard.process is not None}
        if not self._settling.round_complete(living):
            return
        workers = {book.owner: book.links for book in self._ledger.read_books(living)}

        def clients_are_done() -> bool:
            books = self._ledger.read_books(self._ledger.sessions)
            know = [book for book in books if book.counters.get(TOPOLOGY, 0) >= self._drain_version]
            links = {book.owner: book.links for book in books}
            return len(know) == len(self._ledger.sessions) and not on_the_way(links, workers)

        if self._settling.at_rest(living, flow_between(workers), clients_are_done):
            self.at_rest.set()
