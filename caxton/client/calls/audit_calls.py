"""What a client asks about what was done, and for whom; and whether that is still what was written."""

from datetime import datetime

from caxton.client.calls.arguments import since_1970_ms
from caxton.client.connection import Connection
from caxton.wire.audit import AuditHead, AuditPage, AuditRow, ReadAudit, faults


class AuditCalls(Connection):
    """Reads the audit of every shard, and looks it through."""

    async def audit(
        self, *, since: int | datetime | None = None, principal: str | None = None, subject: str | None = None
    ) -> list[AuditRow]:
        """Return what operators and programs had done, oldest first: of each shard the last 100,000 rows are kept.

        since: only what was done at this moment or later, a datetime or ms since 1970. principal: only for this one, ""
        for the runtime's owner. subject: only to this agent, by its name. Raises ShardUnavailable, NetworkError,
        Timeout, and StorageError for what is no row.
        """
        since_ms = 0 if since is None else since_1970_ms("since", since)
        found: list[AuditRow] = []
        for shard in range(self._open().shards):
            rows, _ = await self._audit_of(shard)
            found += [
                row
                for row in rows
                if row.at >= since_ms and principal in {None, row.principal} and subject in {None, row.subject}
            ]
        return sorted(found, key=lambda row: row.at)

    async def verify_audit(self) -> list[str]:
        """Return where the audit is not what was written: in which chain, and at which row; nothing when it is whole.

        Raises what `audit` does.
        """
        found = []
        for shard in range(self._open().shards):
            rows, heads = await self._audit_of(shard)
            found += [f"shard {shard}, {fault}" for fault in faults(rows, heads)]
        return found

    async def _audit_of(self, shard: int) -> tuple[list[AuditRow], list[AuditHead]]:
        """Return all rows of a shard, and its heads as they were with the last of them."""
        page = await self._call(shard, ReadAudit(), AuditPage)
        rows = page.rows
        while page.more:
            page = await self._call(shard, ReadAudit(page.after), AuditPage)
            rows += page.rows
        first = {head.chain: head.first for head in page.heads}  # what went meanwhile is nobody's fault
        return [row for row in rows if row.number >= first.get(row.chain, 0)], page.heads
