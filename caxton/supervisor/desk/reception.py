"""What clients ask, and what they are answered."""

import asyncio
import os
import time
from collections import Counter

import msgspec

from caxton import __version__
from caxton.errors import RuntimeNotFound
from caxton.supervisor.compiler.host import CompilerHost
from caxton.supervisor.desk.health import health_of, status_of
from caxton.supervisor.desk.module_intake import ModuleIntake
from caxton.supervisor.desk.sessions import Sessions
from caxton.supervisor.premises.premises import Premises
from caxton.supervisor.stop_requests import StopRequests
from caxton.supervisor.workforce.notices import Notices
from caxton.supervisor.workforce.run_ledger import RunLedger
from caxton.supervisor.workforce.workforce import Workforce
from caxton.wire.supervision import (
    Accepted,
    AskHealth,
    AskStats,
    Health,
    OpenSession,
    RestartWorkers,
    SessionOpened,
    StopRuntime,
    SupervisorRequest,
    SupervisorResult,
    Told,
    UploadModule,
)


class Reception:
    """Answers requests. `opened` is set when the runtime serves: sessions and modules wait for it, questions do not."""

    def __init__(
        self,
        premises: Premises,
        workforce: Workforce,
        compiler: CompilerHost,
        notices: Notices,
        ledger: RunLedger,
        stop: StopRequests,
        dropped: Counter[str],
    ) -> None:
        self._premises = premises
        self._workforce = workforce
        self._compiler = compiler
        self._notices = notices
        self._ledger = ledger
        self._stop = stop
        self._dropped = dropped
        self._started_s = time.monotonic()
        self.sessions = Sessions(premises.runtime_dir.book)
        self.intake = ModuleIntake(premises.modules, compiler)
        self.opened = asyncio.Event()

    async def answer(self, caller: bytes, request: SupervisorRequest) -> SupervisorResult:
        """Do what is asked; raises the typed error that is the answer otherwise."""
        match request:
            case OpenSession():
                await self._wait_for_opening()
                return self._open_session(request)
            case UploadModule():
                await self._wait_for_opening()
                return await self.intake.take(caller, request)
            case AskHealth():
                return Told(msgspec.to_builtins(self._health()))
            case AskStats():
                return Told(await self._stats())
            case RestartWorkers():
                await self._wait_for_opening()
                self._workforce.planned.ask_all()
                return Accepted()
            case StopRuntime():
                self._stop.request()
                return Accepted()

    def end_sessions(self, _late_s: float = 0.0) -> None:
        """Close the sessions whose clients are gone: their books, their files, and the workers are told."""
        for session in self.sessions.remove_ended(time.monotonic()):
            self._ledger.close_session(session.number)
            self._notices.drop(session.number)
            self._notices.tell_session_ended(session.number)
            self._premises.runtime_dir.forget(session.number)

    async def _wait_for_opening(self) -> None:
        """Wait until the runtime serves, which takes as long as its shards' first starts; raises when it drains."""
        await self.opened.wait()
        if self._stop.requested.is_set():
            raise RuntimeNotFound(str(self._premises.runtime_dir.path))

    def _open_session(self, request: OpenSession) -> SessionOpened:
        session = self.sessions.open(request.pid, request.client, time.monotonic()).number
        self._ledger.enter(session)
        self._notices.add(session)
        mark = self._premises.marks.mark(session)
        topology = msgspec.structs.replace(self._workforce.topology, mark=mark)
        return SessionOpened(session, mark, self._premises.identity.derived_key("naming"), topology)

    def _health(self) -> Health:
        shards = self._workforce.shards
        status, reason = status_of([shard.state for shard in shards], self._compiler.problem)
        return Health(
            status=status,
            reason=reason,
            uptime_s=round(time.monotonic() - self._started_s, 3),
            version=__version__,
            pid=os.getpid(),
            runtime_dir=str(self._premises.runtime_dir.path),
            data_dir=str(self._premises.data_dir),
            sessions=len(self.sessions),
            restarting=self._workforce.planned.left,
            workers=[health_of(shard) for shard in shards],
        )

    async def _stats(self) -> dict[str, object]:
        ledger = self._ledger
        ledger.refresh(await asyncio.to_thread(ledger.read_books, ledger.living))
        workers = []
        for shard in self._workforce.shards:
            incarnation = shard.process.incarnation if shard.process is not None else 0
            book = ledger.book(incarnation)
            about: dict[str, object] = {"shard": shard.number, "incarnation": incarnation, "state": shard.state.value}
            workers.append(about | (book.counters if book is not None else {}))
        return {
            "uptime_s": round(time.monotonic() - self._started_s, 3),
            "sessions": len(self.sessions),
            "workers": workers,
            "totals": ledger.totals(),
            "lost": ledger.lost(),
            "undelivered_to_ended_sessions": ledger.undelivered,
            "dropped_by_supervisor": dict(self._dropped),
        }
