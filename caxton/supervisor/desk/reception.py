"""What clients ask, and what they are answered."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from caxton import __version__
from caxton.config.setting import Setting
from caxton.delivery.levels import Level
from caxton.errors import RuntimeNotFound, SecurityError
from caxton.links.principals import acts_for
from caxton.store.claims import write_claim
from caxton.store.token_file import FILE_NAME as TOKENS_FILE
from caxton.supervisor.audit.keeper import AuditKeeper
from caxton.supervisor.compiler.host import CompilerHost
from caxton.supervisor.desk import stats
from caxton.supervisor.desk.audit_desk import AuditDesk
from caxton.supervisor.desk.caller import Caller
from caxton.supervisor.desk.components import Components
from caxton.supervisor.desk.event_desk import MOST_WAITING, EventDesk
from caxton.supervisor.desk.health import health_of, seen_of
from caxton.supervisor.desk.health_changes import HealthChanges
from caxton.supervisor.desk.module_intake import ModuleIntake
from caxton.supervisor.desk.near_limits import NearLimits
from caxton.supervisor.desk.rates import Rates
from caxton.supervisor.desk.reasons import Reasons, ShardSeen, reasons_of, status_of
from caxton.supervisor.desk.sessions import Sessions
from caxton.supervisor.desk.settings_desk import SettingsDesk
from caxton.supervisor.desk.token_desk import TokenDesk
from caxton.supervisor.events import Event, token_created, token_revoked
from caxton.supervisor.gateway.host import GatewayHost
from caxton.supervisor.premises.premises import Premises
from caxton.supervisor.stop_requests import StopRequests
from caxton.supervisor.workforce.notices import Notices
from caxton.supervisor.workforce.run_ledger import RunLedger
from caxton.supervisor.workforce.workforce import Workforce
from caxton.wire.audit import (
    AnchorAudit,
    AuditAnchored,
    AuditPage,
    AuditRequest,
    NoteAccess,
    NoteBackup,
    ReadAudit,
)
from caxton.wire.counters import GAUGES
from caxton.wire.events import EventPage, ReadEvents
from caxton.wire.protocol import SPOKEN, Versions, agreed
from caxton.wire.supervision import (
    Accepted,
    AskHealth,
    AskSettings,
    AskStats,
    ChangeSettings,
    EndSession,
    OpenSession,
    RestartWorkers,
    SessionOpened,
    StopRuntime,
    SupervisorRequest,
    SupervisorResult,
    TokenRequest,
    Told,
    UploadModule,
)
from caxton.wire.tokens import CreateToken, ListTokens, NewToken, RevokeToken, Tokens, TokenView
from caxton.wire.told import ComponentHealth, Health, HealthReason, LimitWarning, RouterStats

# Sessions that are closed in one go, so that many ends at once do not hold the loop.
_CLOSED_AT_ONCE = 64
# What a client sent just before its good-bye is taken before the workers are told that it is gone.
_LAST_WORDS_S = 0.1


class Reception:
    """Answers requests. `opened` is set when the runtime serves: sessions and modules wait for it, questions do not."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it works with; the supervisor is the only caller)
        self,
        premises: Premises,
        workforce: Workforce,
        compiler: CompilerHost,
        notices: Notices,
        ledger: RunLedger,
        stop: StopRequests,
        dropped: Counter[str],
        tell: Callable[[Event], None],
        kept: EventDesk,
        audit: AuditKeeper,
        gateway: GatewayHost | None = None,
        settings: Sequence[Setting] = (),
    ) -> None:
        self._premises = premises
        self._workforce = workforce
        self._compiler = compiler
        self._notices = notices
        self._ledger = ledger
        self._stop = stop
        self._dropped = dropped
        self._started_s = time.monotonic()
        self.sessions = Sessions(premises.runtime_dir.book, premises.room)
        self._tokens = TokenDesk(premises.data_dir / TOKENS_FILE)
        self.intake = ModuleIntake(premises.modules, compiler)
        self.opened = asyncio.Event()
        self._closing: asyncio.Handle | None = None
        self._reasons = Reasons()
        self._gateway = gateway
        self._settings = SettingsDesk(settings, workforce, gateway)
        self._components = Components(has_gateway=gateway is not None)
        self._near_limits = NearLimits(tell)
        self._kept = kept
        self._keeper = audit
        self._audit = AuditDesk(audit, workforce.roll_call.call)
        self._health_changes = HealthChanges(kept.happened)
        self._rates = Rates(GAUGES)
        self._warnings: list[LimitWarning] = []

    async def answer(self, caller: Caller, request: SupervisorRequest) -> SupervisorResult | None:
        """Do what is asked; raises the typed error that is the answer otherwise. None: nobody waits for an answer."""
        match request:
            case OpenSession():
                await self._wait_for_opening()
                return self._open_session(caller, request)
            case UploadModule():
                await self._wait_for_opening()
                principal = self.sessions.principal_on(caller.line)
                return await self.intake.take(caller._replace(principal=principal), request)
            case (AskHealth() | AskStats() | AskSettings() | ChangeSettings() | ReadEvents()) | (
                ReadAudit() | AnchorAudit() | NoteAccess() | NoteBackup()
            ):
                return await self._tell(caller, request)
            case CreateToken() | ListTokens() | RevokeToken():
                return await self._change_tokens(caller, request)
            case RestartWorkers():
                await self._wait_for_opening()
                self._workforce.restart(request.shard)
                if self._gateway is not None:
                    self._gateway.again()
                await self._audit.done(request, self.sessions.principal_on(caller.line))
            case StopRuntime():
                await self._audit.done(request, self.sessions.principal_on(caller.line))
                self._stop.request()
            case EndSession():
                self._end_session(request)
                return None
        return Accepted()

    async def _tell(
        self, caller: Caller, request: AskHealth | AskStats | AskSettings | ChangeSettings | ReadEvents | AuditRequest
    ) -> Told | EventPage | AuditPage | AuditAnchored | Accepted:
        match request:
            case ReadAudit() | AnchorAudit() | NoteAccess() | NoteBackup():
                return await self._audit.answer(request, self.sessions.principal_on(caller.line))
            case ReadEvents():
                return await self._kept.answer(caller.line, request)
            case AskSettings():
                return self._settings.answer(request)
            case ChangeSettings():
                told = self._settings.answer(request)
                await self._audit.done(request, self.sessions.principal_on(caller.line))
                return told
        return Told(msgspec.to_builtins(self._health() if isinstance(request, AskHealth) else await self._stats()))

    async def _change_tokens(self, caller: Caller, request: TokenRequest) -> NewToken | Tokens | TokenView:
        if not self.sessions.is_owners(caller.line):
            raise SecurityError("tokens are for sessions of the runtime's owner, who acts for nobody else")
        result = await self._tokens.answer(request)
        match request, result:
            case CreateToken(), NewToken():
                self._kept.happened(token_created(result.about))
            case RevokeToken(), TokenView():
                self._kept.happened(token_revoked(result))
        await self._audit.token_done(request, result, self.sessions.principal_on(caller.line))
        return result

    def look_for_ended(self, _late_s: float = 0.0) -> None:
        """Look which clients are gone without a word, and close their sessions."""
        self.sessions.look(time.monotonic())
        self._close_ended()

    def close(self) -> None:
        """Close no more sessions. Closing twice is fine."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _end_session(self, request: EndSession) -> None:
        principal = self.sessions.principal_of(request.session)
        if not self._premises.marks.verify(request.session, request.mark, principal):
            self._dropped["good-byes with a wrong mark"] += 1
        elif self.sessions.end(request.session) and self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._close_ended)

    def _close_ended(self) -> None:
        """Close sessions that are over: their books, their files, and the workers are told. Some now, the rest soon."""
        self.close()
        ended = [session.number for session in self.sessions.take_ended(_CLOSED_AT_ONCE)]
        if not ended:
            return
        self._ledger.close_sessions(ended)
        for session in ended:
            self._notices.drop(session)
            self._notices.tell_session_ended(session)
            self._premises.runtime_dir.forget(session)
        self._closing = asyncio.get_running_loop().call_soon(self._close_ended)

    async def _wait_for_opening(self) -> None:
        """Wait until the runtime serves, which takes as long as its shards' first starts; raises when it drains."""
        await self.opened.wait()
        if self._stop.requested.is_set():
            raise RuntimeNotFound(str(self._premises.runtime_dir.path))

    def _open_session(self, caller: Caller, request: OpenSession) -> SessionOpened:
        version = agreed(SPOKEN, Versions(request.oldest, request.newest))
        principal = acts_for(request.principal, os.geteuid(), may_claim=self._premises.gateway_principals)
        session = self.sessions.open(request.pid, request.client, time.monotonic(), principal, caller.line).number
        if principal:
            self._claim(session, principal)
        self._ledger.enter(session)
        mark = self._premises.marks.mark(session, principal)
        self._notices.add(session, mark)
        topology = msgspec.structs.replace(self._workforce.topology, mark=mark)
        naming_key, capacity = self._premises.identity.derived_key("naming"), self._premises.mailbox_capacity
        return SessionOpened(session, mark, naming_key, topology, version, capacity)

    def _claim(self, session: int, principal: str) -> None:
        """Let the workers know for whom a session acts; raises OSError, and the session is none."""
        try:
            write_claim(self._premises.runtime_dir.principal(session), principal)
        except OSError:
            self.sessions.end(session)
            raise

    def look(self) -> tuple[list[ShardSeen], list[HealthReason], dict[str, ComponentHealth]]:
        """Look how everything is, now and then, so that each reason is known from when it began."""
        limit_bytes, now_s = self._workforce.memory_limit.limit_bytes, time.monotonic()
        seen = [seen_of(shard, limit_bytes, now_s) for shard in self._workforce.shards]
        self._rates.look(now_s, {s.process.incarnation: s.counters for s in self._workforce.shards if s.process})
        sessions = len(self.sessions), self.sessions.room.most_sessions
        gateway = None if self._gateway is None else self._gateway.problem
        compiler, starts = self._compiler.problem, self._compiler.is_starting
        files, audit = self._premises.inventory.problem, self._keeper.problem
        near = [] if self._gateway is None else self._gateway.near
        found = reasons_of(seen, *sessions, compiler, files, gateway, audit, near=near, compiler_starts=starts)
        now_ms = time.time_ns() // 1_000_000
        reasons = self._reasons.look(found, now_ms)
        if self.opened.is_set():
            self._health_changes.look(reasons)
        own = Level("clients", *sessions), Level("event_waits", self._kept.waiting, MOST_WAITING)
        self._warnings = self._near_limits.look(seen, own, now_ms, near)
        return seen, reasons, self._components.look(seen, reasons, now_ms)

    def _health(self) -> Health:
        shards = self._workforce.shards
        seen, reasons, components = self.look()
        status, reason = status_of(seen, reasons)
        return Health(
            status=status,
            reason=reason,
            reasons=reasons,
            uptime_s=round(time.monotonic() - self._started_s, 3),
            version=__version__,
            pid=os.getpid(),
            runtime_dir=str(self._premises.runtime_dir.path),
            data_dir=str(self._premises.data_dir),
            sessions=len(self.sessions),
            most_sessions=self.sessions.room.most_sessions,
            restarting=self._workforce.planned.left,
            workers=[health_of(shard) for shard in shards],
            components=components,
            last_error=self._components.last_error,
            warnings=self._warnings,
        )

    async def _stats(self) -> RouterStats:
        ledger = self._ledger
        ledger.refresh(await asyncio.to_thread(ledger.read_books, ledger.living))
        database_bytes = await asyncio.to_thread(stats.size_of_shards, self._premises.data_dir)
        return stats.stats_of(
            self._workforce.shards,
            ledger,
            uptime_s=round(time.monotonic() - self._started_s, 3),
            sessions=len(self.sessions),
            most_sessions=self.sessions.room.most_sessions,
            dropped=self._dropped,
            database_bytes=database_bytes,
            rates=self._rates,
            compiler=self._compiler,
            audit=self._keeper,
        )
