"""`caxton.client.calls.audit_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterator
from datetime import datetime

from caxton.client.calls.audit_pages import AuditRows
from caxton.sync.connection import Connection
from caxton.wire.audit import AnchoredHead, AuditRow


class AuditCalls(Connection):
    """Reads the audit of every shard and of the supervisor, and looks it through."""

    def audit(
        self,
        *,
        since: int | datetime | None = None,
        principal: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditRow]:
        """Yield what operators and programs had done, what happened to processes, and what was denied, oldest first.

        Of each shard the last 100,000 rows are kept, and of the supervisor as many of what was done. since: only what
        was at this moment or later, a datetime or ms since 1970. principal: only for this one, "" for the runtime's
        owner, "runtime" for its own doings. subject: only to this, such as an agent by its name. action: only this one,
        of those that docs/audit.md lists. What cannot be read as a row is passed over, and `verify_audit` tells of it.
        Raises ValidationError, ShardUnavailable, NetworkError, Timeout, StorageError.
        """
        return self._iterated(
            self._client.audit(
                since=since, principal=principal, subject=subject, action=action, newest_first=newest_first
            )
        )

    def audit_page(
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
        return self._run(
            self._client.audit_page(
                limit,
                after=after,
                since=since,
                principal=principal,
                subject=subject,
                action=action,
                newest_first=newest_first,
            )
        )

    def audit_head(self) -> AnchoredHead:
        """Have the heads of all chains written down, and return the head of that: keep its number and hash elsewhere.

        Nobody can change, remove or put in any row that was there when this was called without `verify_audit` finding
        it with that head, as long as a full chain does not make room for others. Shards are asked how far their chains
        go then; of one in `away`, which does not answer within 2 s, or has no worker, that was last known a moment
        before, and its rows since then are not in it. Raises StorageError when nothing can be written; NetworkError,
        Timeout.
        """
        return self._run(self._client.audit_head())

    def verify_audit(self, head: str = "") -> list[str]:
        """Return where the audit is not what was written: in which chain, and at which row; nothing when it is whole.

        head: what `audit_head` returned once, as NUMBER:HASH. Raises what `audit` does.
        """
        return self._run(self._client.verify_audit(head))
