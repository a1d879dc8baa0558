"""What is over by now: conversations whose time has passed, lines that lapse, and conversations whose lines ended."""

from caxton.conversations.exchange import Exchange
from caxton.conversations.record import Record
from caxton.conversations.state import State
from caxton.errors import CaxtonError
from workers.conversations.ends import over
from workers.conversations.log import ConversationLog
from workers.conversations.protocols import QUIET_MS
from workers.conversations.rules import Rules
from workers.conversations.table import Table


class Ticks:
    """Looks at the table every 200 ms."""

    def __init__(self, table: Table, rules: Rules, log: ConversationLog) -> None:
        self._table = table
        self._rules = rules
        self._log = log

    def tick(self, now_ms: int) -> list[tuple[Record, CaxtonError]]:
        """Let expire, lapse and end what is to, and forget what ended long ago. now_ms: on the served time.

        Returns those that ended and whose participants are to be told why.
        """
        untold = self._expire(now_ms)
        for kept in self._rules.due(self._table.live, self._table.opened_by, now_ms):
            record = self._table.grow(kept) if isinstance(kept, Exchange) else kept
            if self._rules.expire(record, now_ms):
                self._table.archive(record, now_ms)
            self._log.save_end(record)
        self._finish(now_ms)
        self._table.sweep(now_ms)
        return untold

    def _expire(self, now_ms: int) -> list[tuple[Record, CaxtonError]]:
        """What was to last no longer has expired, unless its lines had ended."""
        due = self._table.due(now_ms)
        untold: list[tuple[Record, CaxtonError]] = []
        for kept in due:
            kept.expire()
            if isinstance(kept, Record) and kept.limits.timeout_s and kept.state is State.EXPIRED:
                untold.append((kept, over(kept)))
            self._log.save_end(kept)
        self._table.archive_all(due, now_ms)
        return untold

    def _finish(self, now_ms: int) -> None:
        """An exchange whose line ended a while ago has come to its end with that."""
        finished = self._table.finished(now_ms - QUIET_MS)
        for exchange in finished:
            exchange.is_finished = True
            self._log.save_end(exchange)
        self._table.archive_all(finished, now_ms)
