"""The conversations that the agents of this shard take part in: who may speak, what is counted, when one ends.

A message is counted once: by the shard of the agent that it is for, and, when it is for a client, by that of the agent
that sent it. What an agent sends to other shards is looked at here too, so that its shard knows who takes part.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.failure import END_PROTOCOL
from caxton.config.conversations import ConversationSettings
from caxton.conversations.exchange import Exchange
from caxton.conversations.record import FIRST_PLACES, Record
from caxton.delivery.served_time import ServedTime
from caxton.errors import CaxtonError, ConversationEnded
from caxton.ids import SESSION_BIT
from caxton.protocols import is_checked
from caxton.store.commit import Commit
from caxton.store.recovered import ConversationDeltas
from workers.conversations.checks import Checks
from workers.conversations.ends import end_as_told, over, stop
from workers.conversations.exchanges import Exchanges
from workers.conversations.log import ConversationLog
from workers.conversations.openings import begun, introduced, is_special, opener_of
from workers.conversations.rules import Rules
from workers.conversations.table import Table
from workers.conversations.ticks import Ticks
from workers.conversations.whose import meant, own, stranger

_MS = 1_000


class Conversations:
    """Owned by the worker's loop. The path of every message asks `take`, and only for one that is in a conversation.

    owns: whether this shard has an agent of that id. rules: of protocols. is_refusing: while the runtime tells agents
    what it did not let them send, which changes nothing. wall_ms: when the pass under way began. counts: what happened
    since the last pass, under the names of `caxton.wire.counters`.
    """

    def __init__(
        self,
        settings: ConversationSettings,
        served: ServedTime,
        log: ConversationLog,
        owns: Callable[[int], bool],
        rules: Rules,
    ) -> None:
        self._settings = settings
        self._served = served
        self._owns = owns
        self.log = log
        self.rules = rules
        self.table = Table(log.forget, owns, grown=self._grown)
        rules.changed = self.table.activity.change
        self._live = self.table.live
        self.wall_ms = 0
        self.is_refusing = False
        self.counts: Counter[str] = Counter()
        self._exchanges = Exchanges(settings, served, log, self.table, self.counts, rules.look_at)
        self._ticks = Ticks(self.table, rules, log)
        self._checks = Checks(settings, served, rules, self.counts, self._stop)
        # Those that ended, whose participants are to be told why, by whoever can send.
        self.untold: list[tuple[Record, CaxtonError]] = []

    def take(self, message: Envelope) -> CaxtonError | None:
        """Count a message that an agent of this shard is given next, or say why it is not. It may be in none."""
        conversation = message.conversation_id
        if conversation is None:
            return self.rules.unknown(message)
        kept = self._live.get(conversation)
        if type(kept) is Exchange:
            if kept.note(message, self.wall_ms) or (
                kept.position is not None and self._exchanges.take(kept, message, self.wall_ms)
            ):
                if kept.flags or len(kept.recent) == FIRST_PLACES + 1:
                    self._exchanges.noted(kept)
                return None
            kept = self.table.grow(kept)
        elif kept is None and self._exchanges.begin(message, self.wall_ms):
            return None
        record: Record | None = kept  # type: ignore[assignment] # it is none of the others
        if (
            record is None
            or record.watched
            or not record.parties.get(message.sender)
            or message.receiver not in record.parties
            or (message.rare is not None and is_special(message.rare, record))
        ):
            return self._look(message, record)
        if record.note(message, self.wall_ms):
            self.table.weigh(record)
        if message.flags:
            self._flagged(record, message)
        return None

    def leave(self, messages: list[Envelope]) -> None:
        """Count messages that leave for a client; those in no conversation are passed over."""
        find, wall_ms = self._live.get, self.wall_ms
        for message in messages:
            if message.conversation_id is None:
                continue
            kept = find(message.conversation_id)
            if type(kept) is not Exchange:
                self._leaves(message, kept)  # type: ignore[arg-type] # it is none of the others
            elif not kept.note(message, wall_ms) and not self._exchanges.leaves(kept, message, wall_ms):
                self._leaves(message, self.table.grow(kept))
            elif kept.flags or len(kept.recent) == FIRST_PLACES + 1:
                self._exchanges.noted(kept)

    def _leaves(self, message: Envelope, record: Record | None) -> None:
        """Count one message that leaves; in a conversation that has ended here meanwhile, while that is known."""
        if record is None or record.is_shared:
            record = self._going_on(message)
        if record is None:
            late = meant(self.table.all_of(message.conversation_id), message)  # type: ignore[arg-type] # it is in one
            if late is not None and not message.flags & AUTOMATIC:
                late.note(message, self.wall_ms)
            return
        if not record.parties.get(message.sender) or message.receiver not in record.parties:
            if not message.flags & AUTOMATIC:
                self._introduce(record, message)
            elif message.receiver not in record.parties:
                return  # what the runtime says of a message lets nobody in
        if record.note(message, self.wall_ms):
            self.table.weigh(record)
        if message.flags & DURABLE:
            self.log.save(record)

    def send(self, messages: list[Envelope], handled: Envelope | None = None) -> list[tuple[Envelope, CaxtonError]]:
        """Look at what an agent of this shard sends; returns what it may not, each with the reason.

        Who is new to the conversation is let in by what it is sent, and what goes to another shard says whose it is.
        handled: the message that it handles; what it sends under the same id belongs to the same conversation.
        """
        refused: list[tuple[Envelope, CaxtonError]] = []
        for message in messages:
            conversation = message.conversation_id
            if conversation is None:
                if message.rare is not None and (unknown := self.rules.unknown(message)) is not None:
                    refused.append((message, unknown))
                continue
            kept = self._live.get(conversation)
            if type(kept) is Exchange:
                if (
                    message.receiver == kept.initiator >= SESSION_BIT
                    and message.sender == kept.other
                    and (message.rare is None or self._exchanges.sends(kept, message, self.wall_ms))
                ):
                    continue  # it is noted when it leaves
                kept = self.table.grow(kept)
            record: Record | None = kept  # type: ignore[assignment] # it is none of the others
            if (
                record is not None
                and not record.watched
                and record.parties.get(message.sender)
                and message.receiver in record.parties
                and (message.rare is None or not is_special(message.rare, record))
            ):
                if message.receiver < SESSION_BIT and not self._owns(message.receiver):
                    message.rare = introduced(message.rare, record)
                continue
            error = self._sends(message, handled, record)
            if error is not None:
                refused.append((message, error))
        return refused

    def involves(self, message: Envelope) -> bool:
        """Whether a message belongs to what goes on here and its receiver takes part in, so that `take` decides."""
        known = self.table.all_of(message.conversation_id)  # type: ignore[arg-type] # it is in one
        going_on = [one for one in known if one.key in self._live and message.receiver in one.parties]
        if message.flags & AUTOMATIC or own(going_on) is not None or meant(going_on, message) is not None:
            return bool(going_on)
        return any(one.watched and self.rules.lets_in(one, message) for one in going_on)

    def active_of(self, agent: int) -> int:
        """Return in how many active conversations an agent of this shard is: see `Activity`."""
        return self.table.activity.of.get(agent, 0)

    def recent(self, conversation: bytes, agent: int) -> Iterator[int]:
        """Yield who took part in the last messages of an agent's conversation, the last ones first, as seen here."""
        known = self.table.all_of(conversation)
        record = next((one for one in known if agent in one.parties and one.key in self._live), None)
        for message in () if record is None else reversed(record.recent):
            yield message.sender
            yield message.receiver

    def tick(self, commit: Commit) -> None:
        """Let conversations expire whose time is over, and look at the deadlines of protocols."""
        self.untold += self._ticks.tick(self._served.now_ms)
        self.log.tend(commit)

    def came_to_nothing(self, message: Envelope) -> None:
        """Nothing came of a message in a conversation: its receiver was given it and failed, or never was given it."""
        record = self._going_on(message)
        if record is not None and record.lines is not None:
            self.rules.failed(record, message, self._served.now_ms)
            self.log.save_end(record)

    def expires_at(self, record: Record) -> int:
        """Return when a conversation is over by the wall clock, in ms since 1970."""
        return max(0, self.wall_ms + record.due_ms - self._served.now_ms)

    def resume(self, record: Record, timeout_s: int | None) -> None:
        """Let a conversation go on, for as long as it may last or so long; what it is limited by begins anew."""
        now_ms = self._served.now_ms
        if record.key in self._live:
            self.table.archive(record, now_ms)
        record.timeout_s = timeout_s or record.timeout_s
        record.resume(now_ms + record.timeout_s * _MS)
        self.table.revive(record)
        if record.lines is not None:
            record.lines.look_at_ms = 0  # who was to look before did so while it had ended, or does so in vain
            if record.lines.open:
                self.rules.restore(record)
        self.log.save_end(record)

    def restore(self, rows: list[ConversationDeltas]) -> None:
        """Go on from what the file holds."""
        now_ms = self._served.now_ms
        for record in self.log.restore(rows, self._settings.conversation_history):
            if record.protocol is not None:
                record.watched = record.watched and (record.is_limited or record.state.is_end)
                record.watched = record.watched or is_checked(record.protocol)
            self.table.open(record)
            if record.state.is_end:
                self.table.archive(record, now_ms)
            self.rules.restore(record)
        while not self.table.has_room:
            self.counts["conversations_evicted"] += self.table.make_room(now_ms)

    def _look(self, message: Envelope, kept: Record | None) -> CaxtonError | None:
        """See to a message that is not just one more of who speaks already. kept: what is found by its id."""
        if message.flags & AUTOMATIC:
            return self._told(message)
        record = None
        try:
            if kept is not None and self._checks.is_one_more(kept, message):
                record = kept
                self._says(kept, message)
                return None
            record = self._meant(message) or self._begin(message)
            self._checks.check(record, message, self.wall_ms, placed=True)
        except CaxtonError as error:
            return self._refused(record, error)
        record.follows(message)
        record.join(message.receiver)
        record.speaks(message.sender)
        record.turns += record.watched
        record.note(message, self.wall_ms)
        self.table.weigh(record)
        if message.flags & DURABLE:
            self.log.save(record)
        self._archive_ended(record)
        return None

    def _says(self, record: Record, message: Envelope) -> None:
        """Count what an agent is given where only the protocol has a say. Raises what it says."""
        lines = len(record.lines.positions)  # type: ignore[union-attr] # it has some
        self._checks.fits(record, message, self.wall_ms, placed=True)
        record.follows(message)
        is_new = message.receiver not in record.parties
        record.join(message.receiver)
        record.speaks(message.sender)
        record.turns += 1
        if record.note(message, self.wall_ms) or is_new or len(record.lines.positions) > lines:  # type: ignore[union-attr]
            self.table.weigh(record)
        if message.flags & DURABLE:
            self.log.save(record)

    def _told(self, message: Envelope) -> CaxtonError | None:
        """The runtime's own word is told, whatever the conversation has come to; that it ended, to who took part."""
        rare, conversation = message.rare, message.conversation_id
        if rare is not None and rare.protocol == END_PROTOCOL and conversation is not None:
            ended = meant(self.table.all_of(conversation), message)
            if ended is None or message.receiver not in ended.parties:
                return stranger(message, message.receiver)
        record = self._going_on(message)
        if record is not None and message.receiver in record.parties:
            record.note(message, self.wall_ms)
            self.table.weigh(record)
            self._flagged(record, message)
            if not self.is_refusing:
                self.rules.told(record, message, self._served.now_ms)
        return None

    def _sends(self, message: Envelope, handled: Envelope | None, kept: Record | None) -> CaxtonError | None:
        """See to what an agent of this shard sends, where that is not just one more message."""
        if message.flags & AUTOMATIC:
            return None
        record = kept if kept is not None and self._checks.is_one_more(kept, message) else None
        check = self._checks.check if record is None else self._checks.fits
        try:
            record = record or self._meant(message, handled) or self._begin(message)
            if record.is_shared or (message.receiver < SESSION_BIT and not self._owns(message.receiver)):
                message.rare = introduced(message.rare, record)
            check(record, message, self.wall_ms, placed=False)
        except CaxtonError as error:
            return self._refused(record, error)
        record.follows(message)
        self._introduce(record, message)
        if message.flags & DURABLE:
            self.log.touch(record)
        self._archive_ended(record)
        return None

    def _meant(self, message: Envelope, handled: Envelope | None = None) -> Record | None:
        """Return the conversation that a message belongs to, None where it opens one. Raises NotAParticipant.

        Whoever takes no part here may speak where another shard let him in, or the protocol does.
        """
        records = self.table.all_of(message.conversation_id)  # type: ignore[arg-type] # it is in one
        if not records:
            return None
        found = meant(records, message, handled)
        if found is None:
            found = next((one for one in records if one.watched and self.rules.lets_in(one, message)), None)
        if found is None and (others := own(records)) is not None:
            if others.state.is_end:
                self.counts["conversations_over"] += 1
                raise over(others)
            self.counts["strangers"] += 1
            raise stranger(message, message.sender)
        return found

    def _going_on(self, message: Envelope) -> Record | None:
        """Return the conversation that a message belongs to and that goes on, if one does."""
        conversation: bytes | None = message.conversation_id
        kept = None if conversation is None else self._live.get(conversation)
        record = self.table.grow(kept) if isinstance(kept, Exchange) else kept
        if conversation is None or (record is not None and not record.is_shared and not opener_of(message)):
            return record
        return meant([one for one in self.table.all_of(conversation) if one.key in self._live], message)

    def _begin(self, message: Envelope) -> Record:
        """Open a conversation with its first message here."""
        record = begun(message, self._settings, self.wall_ms, self._served.now_ms)
        if not self.table.has_room:
            self.counts["conversations_evicted"] += self.table.make_room(self._served.now_ms)
        record.protocol = None if message.rare is None else message.rare.protocol
        if record.protocol is not None:
            record.watched = record.watched or self.rules.known(record.protocol)
        self.table.open(record)
        return record

    def _grown(self, exchange: Exchange, record: Record) -> None:
        """An exchange has become a record."""
        self.log.grown(exchange, record)
        if record.key in self._live:
            self.rules.grown(record)

    def _introduce(self, record: Record, message: Envelope) -> None:
        """What an agent of this shard sends lets its receiver in; one of this shard when it is given it, if it is."""
        if message.receiver >= SESSION_BIT or not self._owns(message.receiver):
            record.join(message.receiver)
        record.speaks(message.sender)
        self.table.weigh(record)

    def _flagged(self, record: Record, message: Envelope) -> None:
        """A message of the durable lane, or the runtime's own word: perhaps that another shard ended it."""
        if message.flags & DURABLE:
            self.log.save(record)
        rare = message.rare
        if message.flags & AUTOMATIC and rare is not None and rare.protocol == END_PROTOCOL:
            told = rare.conversation  # whoever knows its id may have opened another one under it
            if message.sender in record.parties if told is None else told.initiator == record.initiator:
                end_as_told(record, message)
                self.log.save_end(record)
                self.table.archive(record, self._served.now_ms)

    def _stop(self, record: Record, what: str, limit: int) -> ConversationEnded:
        """A conversation has come to a limit: it is over, and who takes part is told."""
        self.counts["conversations_stopped"] += 1
        stop(record, what, limit)
        error = over(record)
        self.untold.append((record, error))
        self.log.save_end(record)
        self.table.archive(record, self._served.now_ms)
        return error

    def _archive_ended(self, record: Record) -> None:
        """A protocol may have come to its end with this message."""
        if record.state.is_end and record.key in self._live:
            self.log.save_end(record)
            self.table.archive(record, self._served.now_ms)

    def _refused(self, record: Record | None, error: CaxtonError) -> CaxtonError:
        """Return why a message was refused; a conversation that it would have begun is none."""
        if record is not None and not record.messages and not any(record.parties.values()):
            self.table.drop(record)
        return error
