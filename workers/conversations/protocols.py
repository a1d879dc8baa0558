"""The machines of protocols at their seam: where each line of a conversation stands, and what its deadlines bring."""

from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush

from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, Cause, Envelope, Rare
from caxton.acl.performative import Performative
from caxton.conversations.exchange import Exchange, Kept
from caxton.conversations.line_of_two import on_served_time
from caxton.conversations.lines import MOST_LINES, Line, Lines
from caxton.conversations.record import Record
from caxton.delivery.causes import to_keep
from caxton.errors import AnswerOverdue, CaxtonError, SessionNotFound, TooManyParticipants, UnknownProtocol
from caxton.ids import SESSION_BIT, AgentId, ConversationId
from caxton.protocols import (
    BY_NAME,
    BY_NUMBER,
    SOUGHT,
    Joint,
    Machine,
    Position,
    Role,
    Step,
    Violation,
    Wrong,
    cancelled_for,
    expire,
    machine_of,
    returned,
    step,
    violation,
)
from workers.conversations.rules import Overdue

# How long a conversation of which every line has ended is kept open for another line, in ms.
QUIET_MS = 5_000
# Conversations whose deadlines are looked at in one go.
AT_ONCE = 1_024
# Times at which conversations were to be looked at and are not any more, beyond as many as conversations.
MOST_OUTDATED = 1_024
# Before any deadline: to be looked at with the next tick.
_AT_ONCE_MS = 1
_RECRUITING = BY_NAME["fipa-recruiting"]
_CAME_BACK = {int(Performative.FAILURE), int(Performative.NOT_UNDERSTOOD)}


class ProtocolRules:
    """`Rules` of conversations whose messages name a known protocol, seen from the agents of this shard."""

    def __init__(self) -> None:
        self.overdue: list[Overdue] = []
        self.changed: Callable[[int, int], None] = _nobody_counts
        self.has_left: Callable[[int], bool] = _nobody_has
        # Clients that have ended since the last tick.
        self._left: set[int] = set()
        # When which conversation is looked at next. What a record does not agree with is outdated.
        self._due: list[tuple[int, bytes]] = []

    def known(self, protocol: str) -> bool:
        """Whether messages of this protocol are looked at; raises UnknownProtocol."""
        return machine_of(protocol) is not None

    def unknown(self, message: Envelope) -> CaxtonError | None:
        """Return UnknownProtocol for a message that names one, unless the runtime says it itself."""
        rare = message.rare
        try:
            if rare is not None and rare.protocol is not None and not message.flags & AUTOMATIC:
                machine_of(rare.protocol)
        except UnknownProtocol as error:
            return error
        return None

    def placing(self, record: Record, message: Envelope, now_ms: int, wall_ms: int) -> CaxtonError | None:
        """Return why an agent of this shard is not given a message, or None and remember that it was."""
        rare = message.rare
        if rare is None or rare.protocol is None:
            return None
        line, lines = (message.receiver, message.sender), record.lines
        if lines is not None and lines.sought:
            lines.answered_by(line, message.in_reply_to)
        if rare.reply_to is not None and (lines is None or line not in lines.positions):
            line = message.receiver, rare.reply_to  # who asks on behalf of another is not who is answered
        return self._said(record, line, message, now_ms, wall_ms, sent=False)

    def sending(self, record: Record, message: Envelope, now_ms: int, wall_ms: int) -> CaxtonError | None:
        """Return why an agent of this shard does not send a message, or None and remember that it did."""
        rare = message.rare
        if rare is None or rare.protocol is None:
            return None
        return self._said(record, (message.sender, message.receiver), message, now_ms, wall_ms, sent=True)

    def lets_in(self, record: Record, message: Envelope) -> bool:
        """Whether a message lets its sender in, who takes no part: one who was recruited, or found by a capability."""
        lines = record.lines
        if lines is None:
            return False
        joint = lines.joints.get(message.receiver)
        return (joint is not None and joint.recruits) or lines.seeks(message.receiver, message.in_reply_to)

    def told(self, record: Record, message: Envelope, now_ms: int) -> None:
        """The runtime tells an agent of this shard that what it had said came to nothing."""
        rare = message.rare
        plain = rare is None or rare.protocol is None
        if message.performative in _CAME_BACK and message.in_reply_to is not None and plain:
            if record.lines is not None:
                record.lines.answered_by((message.receiver, message.sender), message.in_reply_to)
            self._returned(record, (message.receiver, message.sender), message.in_reply_to, now_ms)

    def failed(self, record: Record, message: Envelope, now_ms: int) -> None:
        """Nothing came of a message that an agent of this shard was given, or that one sent."""
        for line in ((message.receiver, message.sender), (message.sender, message.receiver)):
            self._returned(record, line, message.message_id, now_ms)

    def left(self, client: int) -> None:
        """A client is gone: see to the lines of the conversations that it opened, of all such clients with the tick."""
        self._left.add(client)

    def cancelled(self, record: Record, line: Line, cancel: bytes) -> None:
        """A participant is told that its initiator is gone, by a cancel of this id: it may answer that."""
        position = None if record.lines is None else record.lines.positions.get(line)
        if position is not None and record.lines is not None:
            record.lines.positions[line] = structs.replace(position, cancel=cancel)

    def restore(self, record: Record) -> None:
        """Go on with a conversation that the file held; its clients may have left meanwhile."""
        if record.lines is not None and not record.state.is_end:
            self.look_at(record, _AT_ONCE_MS if self._gone(record.lines) else _next_look_ms(record.lines))

    def grown(self, record: Record) -> None:
        """An exchange is a record from now on: it is looked at as such."""
        if record.lines is not None:
            self.look_at(record, _next_look_ms(record.lines))

    def due(self, live: Mapping[bytes, Kept], opened_by: Callable[[int], list[Kept]], now_ms: int) -> list[Kept]:
        """Return conversations that `expire` is to look at now, at most a thousand at once; `live` are all."""
        found: list[Kept] = []
        if self._left:
            self._look_at_what_was_left(opened_by)
        while self._due and self._due[0][0] <= now_ms and len(found) < AT_ONCE:
            at_ms, key = heappop(self._due)
            kept = live.get(key)
            looked_at = None if kept is None else _looked_at(kept)
            if kept is not None and looked_at is not None and looked_at.look_at_ms == at_ms:
                looked_at.look_at_ms = 0
                found.append(kept)
        if len(self._due) > 2 * len(live) + MOST_OUTDATED:
            waiting = [(_looked_at(kept), key) for key, kept in live.items()]
            self._due = [(one.look_at_ms, key) for one, key in waiting if one is not None and one.look_at_ms]
            heapify(self._due)
        return found

    def expire(self, record: Record, now_ms: int) -> bool:
        """Let what is over by now lapse. Returns whether the conversation has ended: all its lines, for a while."""
        lines = record.lines
        if lines is None:
            return False
        gone = self._gone(lines)
        for line, position in lines.positions.items():
            if position.deadline_ms > 0 and line[1] in gone and not position.cancel:
                self._leave(record, lines, line, position, now_ms)
            elif 0 < position.deadline_ms <= now_ms:
                self._lapse(record, lines, line, position, now_ms)
        if not lines.open and lines.over_ms + QUIET_MS <= now_ms:
            record.finish()
            return True
        self.look_at(record, _next_look_ms(lines))
        return False

    def _said(
        self, record: Record, line: Line, message: Envelope, now_ms: int, wall_ms: int, *, sent: bool
    ) -> CaxtonError | None:
        """Check a message by the line that it is on, and remember what it changes."""
        rare: Rare = message.rare  # type: ignore[assignment] # it names a protocol
        agent = line[0]
        lines = record.lines
        position, joint = (None, None) if lines is None else (lines.positions.get(line), lines.joints.get(agent))
        machine = self._machine(rare.protocol, position, joint, sent=sent)  # type: ignore[arg-type]
        if machine is None:
            return None
        if position is not None and position.machine != machine.number:
            its, role = BY_NUMBER[position.machine], Role(position.role)
            return violation(its, role, position.state, message.performative, Wrong.OTHER_PROTOCOL).error()
        found = step(machine, position, on_served_time(message, now_ms - wall_ms), now_ms, joint, sent=sent)
        if isinstance(found, Violation):
            return found.error()
        if sent:
            if position is None and rare.reply_to not in {None, agent}:
                return None  # the answers are for somebody else: here there is nothing to wait for
            if message.in_reply_to is None and message.receiver < SESSION_BIT:
                message.in_reply_to = found.answers
            if position is None and rare.capability is not None:
                sought = structs.replace(found.position, marks=found.position.marks | SOUGHT)
                found = structs.replace(found, position=sought)
        if lines is None:
            lines = record.lines = Lines()
        elif position is None and len(lines.positions) >= MOST_LINES:
            return TooManyParticipants(str(ConversationId(record.conversation_id)), MOST_LINES)
        self._move(record, lines, line, found, now_ms, to_keep(message))
        return None

    @staticmethod
    def _machine(protocol: str, position: Position | None, joint: Joint | None, *, sent: bool) -> Machine | None:
        """Return what a message goes by; raises UnknownProtocol. Who was found answers in what it was asked in."""
        if position is None:
            return _RECRUITING if joint is not None and joint.recruits and not sent else machine_of(protocol)
        return _RECRUITING if position.machine == _RECRUITING.number else machine_of(protocol)

    def _move(self, record: Record, lines: Lines, line: Line, found: Step, now_ms: int, cause: Cause | None) -> None:
        position = found.position
        if position.cause is not cause:
            position = structs.replace(position, cause=cause)
        change = lines.move(line, position, found.joint, now_ms)
        if change:
            self.changed(line[0], change)
        record.changed = True
        look_at_ms = position.deadline_ms or now_ms + QUIET_MS
        if not lines.look_at_ms or look_at_ms < lines.look_at_ms:
            self.look_at(record, look_at_ms)

    def _lapse(self, record: Record, lines: Lines, line: Line, position: Position, now_ms: int) -> None:
        """Nobody has said in time what a line waits for. Who waited is told."""
        agent, other = line
        machine = BY_NUMBER[position.machine]
        found = expire(machine, position, now_ms, lines.joints.get(agent))
        self._move(record, lines, line, found, now_ms, position.cause)
        state = machine.states[position.state]
        if state.awaits != position.role or position.cancel:
            about = (position.cancel or position.asked or position.opening)[:16]
            lapsed = machine.states[found.position.state].name
            error = AnswerOverdue(machine.name, state.name, lapsed)
            self.overdue.append(Overdue(record, agent, other, about, error, cause=position.cause))

    def _look_at_what_was_left(self, opened_by: Callable[[int], list[Kept]]) -> None:
        """Have what clients that ended had open looked at."""
        left, self._left = self._left, set()
        for client in left:
            for one in opened_by(client):
                if one.is_open:
                    self.look_at(one, _AT_ONCE_MS)

    def _gone(self, lines: Lines) -> set[int]:
        """Return the clients with open lines that are gone."""
        clients = {other for (_, other), at in lines.positions.items() if at.deadline_ms and other >= SESSION_BIT}
        return {client for client in clients if self.has_left(client)}

    def _leave(self, record: Record, lines: Lines, line: Line, position: Position, now_ms: int) -> None:
        """The other party is a client that is gone: an initiator's word is its cancel, and nobody else answers."""
        agent, client = line
        machine, joint = BY_NUMBER[position.machine], lines.joints.get(agent)
        about = (position.asked or position.opening)[:16]
        protocol: str | None
        if position.role == Role.PARTICIPANT:
            found = cancelled_for(machine, position, joint)
            said, protocol = Performative.CANCEL, machine.name
        else:
            found = returned(machine, position, about, joint)
            said, protocol = Performative.FAILURE, None
        self._move(record, lines, line, found, now_ms, position.cause)
        error = SessionNotFound(str(AgentId(client)))
        self.overdue.append(Overdue(record, agent, client, about, error, said, protocol, position.cause))

    def _returned(self, record: Record, line: Line, about: bytes, now_ms: int) -> None:
        lines = record.lines
        position = None if lines is None else lines.positions.get(line)
        if lines is None or position is None:
            return
        found = returned(BY_NUMBER[position.machine], position, about, lines.joints.get(line[0]))
        if found.position is not position:  # nor does anybody else answer, whoever it was sent to
            ended = structs.replace(found.position, marks=found.position.marks & ~SOUGHT)
            self._move(record, lines, line, structs.replace(found, position=ended), now_ms, position.cause)

    def look_at(self, kept: Kept, at_ms: int) -> None:
        """See to it that a conversation is looked at by then; a time that is later than another is none of its own."""
        looked_at = _looked_at(kept)
        if looked_at is not None and (not looked_at.look_at_ms or at_ms < looked_at.look_at_ms):
            looked_at.look_at_ms = at_ms
            heappush(self._due, (at_ms, kept.key))


def _looked_at(kept: Kept) -> Exchange | Lines | None:
    """Return what knows when a conversation is looked at."""
    return kept if isinstance(kept, Exchange) else kept.lines


def _next_look_ms(lines: Lines) -> int:
    """Return when lines are looked at next: at a deadline, or a while after the last one has ended."""
    return lines.next_deadline_ms or lines.over_ms + QUIET_MS


def _nobody_counts(_agent: int, _by: int) -> None:
    """Until there is a table of conversations."""


def _nobody_has(_session: int) -> bool:
    """Until it is known who is there."""
    return False
