"""What a client asks about what was done, and for whom; and whether that is still what was written."""

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial

from caxton.client.calls.arguments import check_whole, since_1970_ms
from caxton.client.calls.audit_pages import Ask, AuditPages, AuditRows
from caxton.client.connection import Connection
from caxton.errors import ValidationError
from caxton.wire.audit import (
    MAX_AUDIT_PAGE,
    MAX_FILTER,
    AnchorAudit,
    AnchoredHead,
    AuditAnchored,
    AuditPage,
    AuditRow,
    ReadAudit,
)
from caxton.wire.audit_check import KeptHead, looking_through

MAX_ROWS = 10_000


class AuditCalls(Connection):
    """Reads the audit of every shard and of the supervisor, and looks it through."""

    async def audit(
        self,
        *,
        since: int | datetime | None = None,
        principal: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        newest_first: bool = False,
    ) -> AsyncIterator[AuditRow]:
        """Yield what operators and programs had done, what happened to processes, and what was denied, oldest first.

        Of each shard the last 100,000 rows are kept, and of the supervisor as many of what was done. since: only what
        was at this moment or later, a datetime or ms since 1970. principal: only for this one, "" for the runtime's
        owner, "runtime" for its own doings. subject: only to this, such as an agent by its name. action: only this one,
        of those that docs/audit.md lists. What cannot be read as a row is passed over, and `verify_audit` tells of it.
        Raises ValidationError, ShardUnavailable, NetworkError, Timeout, StorageError.
        """
        asked = _asked(since, principal, subject, action, newest_first=newest_first)
        pages = AuditPages(self._audit_files(), asked)
        while True:
            page = await pages.page(MAX_AUDIT_PAGE)
            for row in page.rows:
                yield row
            if page.next is None:
                return

    async def audit_page(
        self,
        limit: int = 100,
        *,
        after: str = "",
        since: int | datetime | None = None,
        principal: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        newest_first: bool = False,
    ) -> AuditRows:
        """Return a page of what `audit` yields, and where the next one begins, which `after` takes.

        limit: rows at most, 1 to 10,000. A page may have fewer, and others follow all the same. Raises what `audit`
        raises.
        """
        check_whole("limit", limit, 1, MAX_ROWS)
        asked = _asked(since, principal, subject, action, newest_first=newest_first)
        return await AuditPages(self._audit_files(), asked, after).page(limit)

    async def audit_head(self) -> AnchoredHead:
        """Have the heads of all chains written down, and return the head of that: keep its number and hash elsewhere.

        Nobody can change, remove or put in any row that was there when this was called without `verify_audit` finding
        it with that head, as long as a full chain does not make room for others. Shards are asked how far their chains
        go then; of one in `away`, which does not answer within 2 s, or has no worker, that was last known a moment
        before, and its rows since then are not in it. Raises StorageError when nothing can be written; NetworkError,
        Timeout.
        """
        anchored = await self._ask(AnchorAudit(), AuditAnchored)
        head = anchored.head
        return AnchoredHead(head.chain, head.first, head.last, head.hash, anchored.away)

    async def verify_audit(self, head: str = "") -> list[str]:
        """Return where the audit is not what was written: in which chain, and at which row; nothing when it is whole.

        head: what `audit_head` returned once, as NUMBER:HASH. Raises what `audit` does.
        """
        *shards, _ = files = self._audit_files()
        looking = looking_through(len(shards), _kept(head) if head else None)
        try:
            file, asked = next(looking)
            while True:
                file, asked = looking.send(await files[file](asked))
        except StopIteration as over:
            found: list[str] = over.value
            return found

    def _audit_files(self) -> list[Ask]:
        """Return how each file is asked: those of the shards, and then the supervisor's."""
        shards = range(self._open().shards)
        return [*(partial(self._audit_of, shard) for shard in shards), self._audit_of_supervisor]

    async def _audit_of(self, shard: int, asked: ReadAudit) -> AuditPage:
        return await self._call(shard, asked, AuditPage)

    async def _audit_of_supervisor(self, asked: ReadAudit) -> AuditPage:
        return await self._ask(asked, AuditPage)


def _asked(
    since: int | datetime | None, principal: str | None, subject: str | None, action: str | None, *, newest_first: bool
) -> ReadAudit:
    for name, text in (("principal", principal), ("subject", subject), ("action", action)):
        if text is not None and len(text) > MAX_FILTER:
            raise ValidationError(name, f"longer than {MAX_FILTER} characters")
    return ReadAudit(
        backwards=newest_first,
        principal=principal,
        subject=subject,
        action=action,
        since=0 if since is None else since_1970_ms("since", since),
    )


def _kept(text: str) -> KeptHead:
    try:
        return KeptHead.read(text)
    except ValueError as error:
        raise ValidationError("head", str(error)) from None
