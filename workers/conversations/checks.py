"""Whether a message has a place in a conversation: it goes on, has room for who speaks, is at no limit, and fits."""

from collections import Counter
from collections.abc import Callable

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.config.conversations import ConversationSettings
from caxton.conversations.record import Record
from caxton.delivery.served_time import ServedTime
from caxton.errors import ConversationEnded, ProtocolViolation, TooManyParticipants
from workers.conversations.ends import named, over
from workers.conversations.rules import Rules


class Checks:
    """counts: of `Conversations`. stop: ends a conversation at a limit, and returns the error that says so."""

    def __init__(
        self,
        settings: ConversationSettings,
        served: ServedTime,
        rules: Rules,
        counts: Counter[str],
        stop: Callable[[Record, str, int], ConversationEnded],
    ) -> None:
        self._most = settings.conversation_participants
        self._served = served
        self._rules = rules
        self._counts = counts
        self._stop = stop

    def is_one_more(self, record: Record, message: Envelope) -> bool:
        """Whether only a protocol has a say in a message of a conversation that goes on: all else is usual."""
        rare, parties = message.rare, record.parties
        return (
            record.lines is not None
            and record.watched
            and not message.flags & AUTOMATIC
            and not record.is_shared
            and not record.is_limited
            and message.sender in parties
            and (message.receiver in parties or len(parties) <= (record.limits.participants or self._most))
            and (
                rare is None
                or (rare.conversation is None and (rare.protocol is None or rare.protocol == record.protocol))
            )
        )

    def check(self, record: Record, message: Envelope, wall_ms: int, *, placed: bool) -> None:
        """Raise why a message has no place: it is over, or of others, at a limit, or does not fit."""
        if record.state.is_end:
            self._counts["conversations_over"] += 1
            raise over(record)
        parties = record.parties
        new = (message.receiver not in parties) + (message.sender not in parties)
        most = record.limits.participants or self._most
        if new and len(parties) - 1 + new > most:
            self._counts["conversations_full"] += 1
            raise TooManyParticipants(named(record), most)
        protocol = None if message.rare is None else message.rare.protocol
        if protocol not in {None, record.protocol} and self._rules.known(protocol):
            record.watched = True
        if not record.watched:
            return
        if placed:  # limits are counted where a message is: what is sent is at its receiver's
            hops = 0 if message.cause is None else message.cause.hops
            beyond = record.beyond(hops, len(message.content))
            if beyond is not None:
                record.follows(message)
                raise self._stop(record, *beyond)
        self.fits(record, message, wall_ms, placed=placed)

    def fits(self, record: Record, message: Envelope, wall_ms: int, *, placed: bool) -> None:
        """Let the protocol have its say, and raise what it says."""
        rule = self._rules.placing if placed else self._rules.sending
        error = rule(record, message, self._served.now_ms, wall_ms)
        if error is not None:
            self._counts["violations"] += isinstance(error, ProtocolViolation)
            raise error
