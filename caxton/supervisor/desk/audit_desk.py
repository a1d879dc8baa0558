"""The audit at the desk: it is read, anchored and copied, and what others had done is noted in it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from caxton.store.supervisor_audit import FILE_NAME
from caxton.supervisor.audit.entries import settings_changed, token_created, token_revoked
from caxton.supervisor.audit.keeper import ASKED, STOP, WHOLE, AuditKeeper, now_ms
from caxton.wire.audit import (
    ADDRESS,
    AnchorAudit,
    AuditAnchored,
    AuditPage,
    AuditRequest,
    Entry,
    Kind,
    NoteAccess,
    NoteBackup,
    ReadAudit,
)
from caxton.wire.supervision import Accepted, ChangeSettings, RestartWorkers, StopRuntime
from caxton.wire.tokens import CreateToken, ListTokens, NewToken, RevokeToken, Tokens, TokenView


class AuditDesk:
    """Answers what is asked of the audit, and notes what is asked of others.

    ask_shards: has them say how far their chains go now, to the keeper; returns those that did not.
    """

    def __init__(self, keeper: AuditKeeper, ask_shards: Callable[[], Awaitable[list[int]]]) -> None:
        self._keeper = keeper
        self._ask_shards = ask_shards

    async def answer(self, request: AuditRequest, principal: str) -> AuditPage | AuditAnchored | Accepted:
        """Do what is asked, for a principal. Raises StorageError."""
        match request:
            case ReadAudit():
                return await self._keeper.read(request)
            case AnchorAudit():
                away = await self._ask_shards()
                return AuditAnchored(await self._keeper.anchor(), away)
            case NoteAccess(notes):
                for note in notes:
                    kind = Kind.STRANGERS if note.principal.startswith(ADDRESS) else Kind.ACCESS
                    self._keeper.note(kind, Entry(note.at, note.action, note.principal, note.subject, note.outcome))
            case NoteBackup(directory, outcome):
                await self._note("back_up", principal, directory, outcome)
                if outcome == "begun":
                    await self._keeper.copy(Path(directory) / FILE_NAME)
        return Accepted()

    async def done(self, request: RestartWorkers | StopRuntime | ChangeSettings, principal: str) -> None:
        """Note what was asked, and is done or begun; returns when it is written, or soon without that."""
        match request:
            case RestartWorkers(shard):
                await self._note("restart", principal, "all workers" if shard is None else f"shard {shard}", ASKED)
            case StopRuntime():
                await self._note(STOP, principal, WHOLE, ASKED)
            case ChangeSettings(values):
                for entry in settings_changed(values, principal, now_ms()):
                    await self._keeper.noted(Kind.OPERATIONS, entry)

    async def token_done(
        self,
        request: CreateToken | ListTokens | RevokeToken,
        result: NewToken | Tokens | TokenView,
        principal: str,
    ) -> None:
        """Note what became of a token, before whoever asked is told."""
        match request, result:
            case CreateToken(), NewToken():
                await self._keeper.noted(Kind.OPERATIONS, token_created(result.about, principal, now_ms()))
            case RevokeToken(), TokenView():
                await self._keeper.noted(Kind.OPERATIONS, token_revoked(result, principal, now_ms()))

    async def _note(self, action: str, principal: str, subject: str, outcome: str) -> None:
        await self._keeper.noted(Kind.OPERATIONS, Entry(now_ms(), action, principal, subject, outcome))
