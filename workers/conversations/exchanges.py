"""How a conversation begins that has nothing rare about it: as an exchange, which costs a message little.

One by a protocol has a line as well, which each of its messages is checked by. Where that finds fault with a message,
or finds more in it, nothing is done: the exchange becomes a record then, and everything is seen to there.
"""

from collections import Counter
from collections.abc import Callable

from msgspec import structs

from caxton.acl.envelope import DURABLE, Envelope
from caxton.config.conversations import ConversationSettings
from caxton.conversations import line_of_two
from caxton.conversations.exchange import EXCHANGE_BYTES, MOST_EXCHANGED, Exchange, Opened
from caxton.conversations.lines import LINE_BYTES
from caxton.conversations.record import FIRST_PLACES, REMEMBERED_BYTES
from caxton.conversations.summary import remembered
from caxton.delivery.causes import to_keep
from caxton.delivery.served_time import ServedTime
from caxton.protocols import Position
from workers.conversations.log import ConversationLog
from workers.conversations.table import Table

_MS = 1_000
_BYTES = EXCHANGE_BYTES + FIRST_PLACES * REMEMBERED_BYTES


class Exchanges:
    """Begins exchanges in the table, and sees to it that they are stored and weighed. counts: of `Conversations`.

    look_at: has an exchange looked at by then, for what lapses.
    """

    def __init__(
        self,
        settings: ConversationSettings,
        served: ServedTime,
        log: ConversationLog,
        table: Table,
        counts: Counter[str],
        look_at: Callable[[Exchange, int], None],
    ) -> None:
        self._look_at = look_at
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
        if flags & ~DURABLE or table.knows(conversation) or not self._are_open:
            return False
        opened, now_ms, position = self._opened, self._served.now_ms, None
        if message.rare is not None:
            position = line_of_two.opened(message, now_ms, wall_ms)
            if position is None:
                return False
        due_ms = now_ms + opened.timeout_s * _MS
        if opened.due_ms != due_ms or opened.wall_ms != wall_ms:
            opened = self._opened = structs.replace(opened, wall_ms=wall_ms, due_ms=due_ms)
        if not table.has_room:
            self._counts["conversations_evicted"] += table.make_room(now_ms)
        said = [remembered(message)]
        exchange = Exchange(conversation, message.sender, message.receiver, opened, flags, wall_ms, said)
        if position is not None:
            exchange.weighed = _BYTES + LINE_BYTES
            self._move(exchange, position, message)
        table.begin(exchange)
        if flags:
            self._log.touch(exchange)
        return True

    def take(self, exchange: Exchange, message: Envelope, wall_ms: int) -> bool:
        """Note a message that is placed and is not plain; False, and nothing is done, where it takes a record."""
        if not exchange.has_place(message) or not self._says(exchange, message, wall_ms, sent=False):
            return False
        exchange.add(message, wall_ms)
        return True

    def sends(self, exchange: Exchange, message: Envelope, wall_ms: int) -> bool:
        """Look at what an agent sends to its client and is not plain; False, and nothing is done, for a record."""
        return exchange.has_place(message) and self._says(exchange, message, wall_ms, sent=True)

    def leaves(self, exchange: Exchange, message: Envelope, wall_ms: int) -> bool:
        """Note what leaves for the client and is not plain; False, and nothing is done, where it takes a record."""
        if not exchange.has_place(message):
            return False
        exchange.add(message, wall_ms)
        return True

    def _says(self, exchange: Exchange, message: Envelope, wall_ms: int, *, sent: bool) -> bool:
        """Check a message by its line, and let that move."""
        if message.rare is None or message.rare.protocol is None:
            return True
        position = line_of_two.moved(exchange, message, self._served.now_ms, wall_ms, sent=sent)
        if position is None:
            return False
        self._move(exchange, position, message)
        return True

    def _move(self, exchange: Exchange, position: Position, message: Envelope) -> None:
        if exchange.move(position, to_keep(message), self._served.now_ms):
            self._table.line_ended(exchange)
        elif 0 < position.deadline_ms < exchange.opened.due_ms:  # nothing lapses after the end of all of it
            self._look_at(exchange, position.deadline_ms)

    def noted(self, exchange: Exchange) -> None:
        """One message more was noted in an exchange that is to be stored, or weighs more now."""
        if exchange.flags:
            self._log.touch(exchange)
        if len(exchange.recent) == FIRST_PLACES + 1:
            self._table.weigh(exchange)
