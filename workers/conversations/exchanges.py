"""How a conversation begins that has nothing rare about it: as an exchange, which costs a message little."""

from collections import Counter

from msgspec import structs

from caxton.acl.envelope import DURABLE, Envelope
from caxton.config.conversations import ConversationSettings
from caxton.conversations.exchange import MOST_EXCHANGED, Exchange, Opened
from caxton.conversations.record import FIRST_PLACES
from caxton.conversations.summary import remembered
from caxton.delivery.served_time import ServedTime
from workers.conversations.log import ConversationLog
from workers.conversations.table import Table

_MS = 1_000


class Exchanges:
    """Begins exchanges in the table, and sees to it that they are stored and weighed. counts: of `Conversations`."""

    def __init__(
        self,
        settings: ConversationSettings,
        served: ServedTime,
        log: ConversationLog,
        table: Table,
        counts: Counter[str],
    ) -> None:
        self._served = served
        self._log = log
        self._table = table
        self._counts = counts
        self._opened = Opened(0, 0, settings.conversation_timeout_s, settings.conversation_history)
        # One that is to remember less than an exchange does is a record from the beginning.
        self._are_open = settings.conversation_history >= MOST_EXCHANGED

    def begin(self, message: Envelope, wall_ms: int) -> bool:
        """Let a conversation begin with a message that is placed; False, and nothing is done, where it is a record."""
        flags, table = message.flags, self._table
        conversation: bytes = message.conversation_id  # type: ignore[assignment] # it is in one
        if message.rare is not None or flags & ~DURABLE or table.knows(conversation) or not self._are_open:
            return False
        opened, now_ms = self._opened, self._served.now_ms
        due_ms = now_ms + opened.timeout_s * _MS
        if opened.due_ms != due_ms or opened.wall_ms != wall_ms:
            opened = self._opened = structs.replace(opened, wall_ms=wall_ms, due_ms=due_ms)
        if not table.has_room:
            self._counts["conversations_evicted"] += table.make_room(now_ms)
        said = [remembered(message)]
        exchange = Exchange(conversation, message.sender, message.receiver, opened, flags, wall_ms, said)
        table.begin(exchange)
        if flags:
            self._log.touch(exchange)
        return True

    def noted(self, exchange: Exchange) -> None:
        """One message more was noted in an exchange that is to be stored, or weighs more now."""
        if exchange.flags:
            self._log.touch(exchange)
        if len(exchange.recent) == FIRST_PLACES + 1:
            self._table.weigh(exchange)
