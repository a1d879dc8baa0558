"""The supervisor: enter the premises, start the workers, serve, drain, end. It touches no message of the data path."""

import asyncio
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from caxton import __version__
from caxton.config.gateway import HTTP, METRICS
from caxton.config.log_levels import LogLevels
from caxton.config.settings import ServeSettings
from caxton.errors import CaxtonError, ConfigurationError
from caxton.store.supervisor_audit import FILE_NAME as AUDIT_FILE
from caxton.supervisor import events
from caxton.supervisor.audit.entries import incident
from caxton.supervisor.audit.keeper import AuditKeeper, now_ms
from caxton.supervisor.compiler.host import CompilerHost
from caxton.supervisor.compiler.process import COMPILER_COMMAND
from caxton.supervisor.desk.desk import MAX_CALL_BYTES, FrontDesk
from caxton.supervisor.desk.event_desk import EventDesk
from caxton.supervisor.desk.reception import Reception
from caxton.supervisor.events import Event, Telling
from caxton.supervisor.gateway.host import GatewayHost, check_installed
from caxton.supervisor.gateway.process import GATEWAY_COMMAND
from caxton.supervisor.premises.inventory import TOUCH_PERIOD_S
from caxton.supervisor.premises.premises import Premises
from caxton.supervisor.stop_requests import StopRequests
from caxton.supervisor.workforce.heartbeats import HeartbeatInlet
from caxton.supervisor.workforce.notices import Notices
from caxton.supervisor.workforce.orphans import Orphans
from caxton.supervisor.workforce.restart_policy import RestartPolicy
from caxton.supervisor.workforce.run_ledger import RunLedger
from caxton.supervisor.workforce.shard import ShardState
from caxton.supervisor.workforce.worker_process import WORKER_COMMAND
from caxton.supervisor.workforce.workforce import Workforce
from caxton.transport.descriptors import most_lines
from caxton.transport.endpoints import SUPERVISOR
from caxton.transport.sockets import Context, Desk, Inlet, end_context, new_context
from caxton.transport.tls import context_of
from caxton.transport.zmtp import SMALL_FRAME
from caxton.wire.audit import Kind
from caxton.wire.control import Happened, Heartbeat
from caxton.wire.gateway_spec import KEY_BYTES, GatewaySpec, Listening

CHECK_PERIOD_S = 0.25
SESSION_PERIOD_S = 0.5
REPEAT_PERIOD_S = 1.0
# How often it is looked whether modules may go.
MODULES_PERIOD_S = 60.0
# A check that comes this late means that we were stopped or starved ourselves, and heard nobody meanwhile.
_LATE_S = 1.0
# SIGKILL takes effect at once, unless the kernel is in the middle of something for the process.
_REAP_TIMEOUT_S = 5.0
_LAST_ANSWERS_MS = 100
# What the gateway has to finish requests, of the time that a drain has.
GATEWAY_STOP_S = 3.0
_SERVE_AGAIN = "nobody could reach it any more, so it has ended; serve again, in a directory that nobody tidies"


class Supervisor:
    """One runtime, from its directories' locks to its last child's end. `run` once, in the main thread's loop.

    `tell` is called with what happens, and must not wait; an event at which it fails is counted. The commands say how
    children are started.
    """

    def __init__(
        self,
        settings: ServeSettings,
        tell: Callable[[Event], None],
        worker_command: Sequence[str] = WORKER_COMMAND,
        compiler_command: Sequence[str] = COMPILER_COMMAND,
        gateway_command: Sequence[str] = GATEWAY_COMMAND,
    ) -> None:
        self.settings = settings
        self.tell = tell
        self.worker_command = worker_command
        self.compiler_command = compiler_command
        self.gateway_command = gateway_command

    async def run(self) -> int:
        """Serve until told to stop; returns the exit code: 0 after a drain, 1 when a second signal cut it short.

        Raises ConfigurationError or StorageError when it cannot start.
        """
        if self.settings.gateway is not None:
            check_installed(self.settings.gateway)
            if self.settings.gateway.tls is not None:
                context_of(self.settings.gateway.tls)
        stop = StopRequests()
        with stop.listening(), Premises(self.settings) as premises:
            context = new_context()
            try:
                async with asyncio.TaskGroup() as tasks:
                    life = _Life(self, premises, context, stop, tasks)
                    outcome = await life.live()
            finally:
                end_context(context)
        if isinstance(outcome, CaxtonError):
            raise outcome
        return outcome


class _Life:
    """The parts of a running supervisor, and the order in which they begin and end."""

    def __init__(
        self, plan: Supervisor, premises: Premises, context: Context, stop: StopRequests, tasks: asyncio.TaskGroup
    ) -> None:
        self._settings = plan.settings
        # What came to the supervisor's sockets and was dropped, and what it could not tell, by reason.
        dropped: Counter[str] = Counter()
        self._kept = kept = EventDesk()
        self._audit = audit = AuditKeeper(premises.data_dir / AUDIT_FILE, self._audit_begun)
        self._tell = tell = Telling(plan.tell, dropped, self._happened)
        self._premises = premises
        self._stop = stop
        self._tasks = tasks
        # Why it ends by itself: nobody could come to it any more.
        self._lost: ConfigurationError | None = None
        directory = premises.runtime_dir
        marks = premises.marks
        self._notices = notices = Notices(context, directory, marks)
        self._ledger = ledger = RunLedger(directory.book)
        self._workforce = Workforce(premises, plan.worker_command, plan.settings, notices, ledger, tell, dropped)
        self._compiler = CompilerHost(plan.compiler_command, lambda how: tell(events.compiler_died(how)))
        self._gateway = self._gateway_host(plan)
        self._orphans = Orphans(self._own_pids)
        self._reception = reception = Reception(
            premises,
            self._workforce,
            self._compiler,
            notices,
            ledger,
            stop,
            dropped,
            tell,
            kept,
            audit,
            self._gateway,
            plan.settings.effective,
        )
        lines = most_lines(premises.room.most_sessions, premises.identity.shards)
        inlet = Inlet(directory.control(SUPERVISOR), SMALL_FRAME, lines)
        desk = Desk(directory.calls, MAX_CALL_BYTES, lines)
        self._heartbeats = HeartbeatInlet(inlet, marks, self._heard, dropped)
        self._desk = FrontDesk(desk, reception.answer, tasks, lambda what: tell(events.call_failed(what)), dropped)

    async def live(self) -> int | CaxtonError:
        """Start, serve, drain; returns the exit code, or why nobody could serve."""
        background = [
            self._tasks.create_task(self._compiler.run()),
            self._tasks.create_task(_every(CHECK_PERIOD_S, self._check)),
            self._tasks.create_task(_every(SESSION_PERIOD_S, self._reception.look_for_ended)),
            self._tasks.create_task(_every(REPEAT_PERIOD_S, self._repeat)),
            self._tasks.create_task(self._tidy_modules()),
            self._tasks.create_task(_every(TOUCH_PERIOD_S, lambda _: self._premises.inventory.touch())),
            self._tasks.create_task(self._audit.run()),
            self._tasks.create_task(self._audit.anchor_for_ever(self._reception.opened)),
        ]
        try:
            self._say_of_workers()
            await self._audit.started()
            self._workforce.start()
            await self._first_of(self._start(), self._stop.requested.wait())
            failure = None if self._stop.requested.is_set() else self._open()
            if failure is None:
                await self._stop.requested.wait()
            ended = failure or await self._end()
            return self._lost or ended
        finally:
            # Also when a part of us failed: no child and no socket is left.
            if self._gateway is not None:
                self._gateway.close()
            self._workforce.end_unseen()
            self._desk.close(_LAST_ANSWERS_MS)
            self._reception.close()
            self._heartbeats.close()
            self._notices.close()
            for task in background:
                task.cancel()
            await self._audit.close()

    async def _start(self) -> None:
        """Wait until every shard is ready or has failed, the compiler is warm, and every module has its artifact."""
        try:
            await self._compiler.engine_id()
            await self._reception.intake.compile_missing(lambda *what: self._tell(events.module_refused(*what)))
        except CaxtonError as error:
            self._tell(events.modules_not_compiled(error))
        await self._workforce.settled.wait()

    async def _tidy_modules(self) -> None:
        """Remove modules that nobody uses, while every shard serves and has said which ones it uses."""
        while True:
            await asyncio.sleep(MODULES_PERIOD_S)
            try:
                gone = await self._reception.intake.remove_unused(self._workforce.modules_marked_ms)
            except CaxtonError as error:
                self._tell(events.modules_not_removed(error))
            else:
                if gone:
                    self._tell(events.modules_removed([sha256.hex() for sha256 in gone]))

    def _open(self) -> CaxtonError | None:
        """Let clients in; returns why not when nobody serves."""
        failure = self._workforce.failure
        if failure is None:
            shards = self._workforce.shards
            failed, quarantined = (
                [shard.number for shard in shards if shard.state is state]
                for state in (ShardState.FAILED, ShardState.QUARANTINED)
            )
            about = {
                "runtime_dir": str(self._premises.runtime_dir.path),
                "data_dir": str(self._premises.data_dir),
                "workers": len(shards),
                "pid": os.getpid(),
            }
            self._reception.opened.set()
            if self._gateway is not None:
                self._gateway.open()
                about |= self._gateway.urls
            self._tell(events.ready(about, failed, quarantined))
        return failure

    async def _end(self) -> int:
        """Drain in two phases, up to the deadline or the second signal; then nobody is left."""
        timeout_s = self._settings.drain_timeout_s
        self._reception.opened.set()
        workforce, insisted = self._workforce, self._stop.insisted
        deadline_s = time.monotonic() + timeout_s
        self._tell(events.drain_started(timeout_s))
        await self._end_gateway(deadline_s)
        workforce.drain(1)
        await self._first_of(workforce.at_rest.wait(), workforce.emptied.wait(), insisted.wait(), until_s=deadline_s)
        if not insisted.is_set() and time.monotonic() < deadline_s:
            workforce.drain(2)
            await self._first_of(workforce.emptied.wait(), insisted.wait(), until_s=deadline_s)
        killed = workforce.kill()
        await self._first_of(workforce.emptied.wait(), until_s=time.monotonic() + _REAP_TIMEOUT_S)
        # What clients took in last is in their books.
        self._ledger.refresh(self._ledger.read_books(self._ledger.living))
        self._tell(events.stopped(self._ledger.lost()["total"], killed, insisted=insisted.is_set()))
        await self._audit.stopped("cut short" if killed or insisted.is_set() else "clean")
        return 1 if insisted.is_set() else 0

    async def _end_gateway(self, deadline_s: float) -> None:
        """Let the gateway answer what it was asked, while there are workers who do it."""
        if self._gateway is None:
            return
        self._gateway.stop()
        until_s = min(deadline_s, time.monotonic() + GATEWAY_STOP_S)
        await self._first_of(self._gateway.ended.wait(), self._stop.insisted.wait(), until_s=until_s)
        self._gateway.close()

    def _gateway_host(self, plan: Supervisor) -> GatewayHost | None:
        settings = plan.settings.gateway
        if settings is None:
            return None
        session_key = secrets.token_bytes(KEY_BYTES)

        def levels() -> LogLevels:
            return plan.settings.log_levels if self._gateway is None else self._gateway.log_levels

        def spec_of(inherited: Mapping[str, Listening]) -> GatewaySpec:
            return GatewaySpec(
                runtime_dir=str(self._premises.runtime_dir.path),
                data_dir=str(self._premises.data_dir),
                supervisor_pid=os.getpid(),
                http=inherited.get(HTTP),
                metrics=inherited.get(METRICS),
                metrics_open=settings.metrics_open,
                trace_sampling_ratio=settings.trace_sampling_ratio,
                otlp=settings.otlp,
                names=settings.names,
                tls=settings.tls,
                release=__version__,
                log_level=levels().of_others,
                log_levels=levels().modules,
                log_format=plan.settings.log_format,
                session_key=session_key,
            )

        policy = RestartPolicy(plan.settings.restart_limit)
        return GatewayHost(settings, plan.gateway_command, spec_of, policy, self._tell, plan.settings.log_levels)

    def _own_pids(self) -> set[int]:
        gateway = 0 if self._gateway is None else self._gateway.pid
        return {*self._workforce.pids, self._compiler.pid, gateway}

    def _say_of_workers(self) -> None:
        """Tell of a number of workers that is configured, and that this data directory was not made with."""
        wanted, shards = self._settings.workers_when_made, self._premises.identity.shards
        if wanted not in {None, shards} and self._settings.workers is None:
            self._tell(events.workers_as_made(shards, wanted, str(self._premises.data_dir)))

    def _happened(self, event: Event) -> None:
        self._kept.happened(event)
        entry = incident(event, now_ms())
        if entry is not None:
            self._audit.note(Kind.INCIDENTS, entry)

    def _audit_begun(self) -> None:
        if self._premises.identity.next_incarnation > 1:  # else nothing of the data directory was there before
            self._tell(events.audit_begun())

    def _heard(self, word: Heartbeat | Happened) -> None:
        if isinstance(word, Happened):
            self._kept.heard(word.shard, word.events)
            return
        if 0 <= word.shard < len(self._workforce.shards):  # also of a worker that has just ended: it was its last word
            self._audit.heard(word.shard, word.audit)
        self._workforce.heard(word)

    def _check(self, late_s: float) -> None:
        self._workforce.check(forgive=late_s > _LATE_S)
        if self._gateway is not None:
            self._gateway.check(forgive=late_s > _LATE_S)
        self._orphans.reap()

    def _repeat(self, _late_s: float) -> None:
        self._workforce.repeat_notices()
        self._reception.intake.uploads.drop_idle(time.monotonic())
        self._reception.look()
        self._look_around()

    def _look_around(self) -> None:
        """See to files that others have tidied away."""
        inventory = self._premises.inventory
        before = inventory.problem
        for path in inventory.look(self._workforce.heard_of):
            self._tell(events.file_put_back(path))
        if inventory.problem not in {before, None}:
            self._tell(events.files_gone(inventory.problem))
        if inventory.unreachable and self._lost is None and not self._stop.requested.is_set():
            problem = (inventory.problem or "").partition(": ")[0]
            self._lost = ConfigurationError("the runtime's files", problem, _SERVE_AGAIN)
            self._stop.requested.set()

    async def _first_of(self, *waits: Coroutine[Any, Any, object], until_s: float | None = None) -> None:
        """Wait until one of these has happened, or it is `until_s` on the monotonic clock; the rest are cancelled."""
        timeout_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        waiting = [self._tasks.create_task(wait) for wait in waits]
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


async def _every(period_s: float, act: Callable[[float], None]) -> None:
    """Act every so many seconds; `act` is told by how many it comes late."""
    while True:
        due_s = time.monotonic() + period_s
        await asyncio.sleep(period_s)
        act(time.monotonic() - due_s)
