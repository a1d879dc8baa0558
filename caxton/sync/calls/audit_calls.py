"""`caxton.client.calls.audit_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from datetime import datetime

from caxton.sync.connection import Connection
from caxton.wire.audit import AuditRow


class AuditCalls(Connection):
    """Reads the audit of every shard, and looks it through."""

    def audit(
        self, *, since: int | datetime | None = None, principal: str | None = None, subject: str | None = None
    ) -> list[AuditRow]:
        """Return what operators and programs had done, oldest first: of each shard the last 100,000 rows are kept.

        since: only what was done at this moment or later, a datetime or ms since 1970. principal: only for this one, ""
        for the runtime's owner. subject: only to this agent, by its name. Raises ShardUnavailable, NetworkError,
        Timeout, and StorageError for what is no row.
        """
        return self._run(self._client.audit(since=since, principal=principal, subject=subject))

    def verify_audit(self) -> list[str]:
        """Return where the audit is not what was written: in which chain, and at which row; nothing when it is whole.

        Raises what `audit` does.
        """
        return self._run(self._client.verify_audit())
