"""Whether a message fits, and what is so afterwards: one pure walk over every table."""

from msgspec import structs

from caxton.acl.envelope import Envelope
from caxton.acl.performative import Performative
from caxton.protocols.asides import FAILURE, INFORM, answer_cancel, cancel, not_understood
from caxton.protocols.correlation import ids_of, names
from caxton.protocols.machine import CANCELLED, MAX_ANSWER_MS, UNDELIVERED, Answers, Machine, Move, Role, key_of
from caxton.protocols.position import Joint, Position, Step
from caxton.protocols.rules import broken, joined
from caxton.protocols.violation import Violation, Wrong, violation

_CANCEL, _NOT_UNDERSTOOD = int(Performative.CANCEL), int(Performative.NOT_UNDERSTOOD)
_INITIATOR, _PARTICIPANT = int(Role.INITIATOR), int(Role.PARTICIPANT)
_ASIDES = {_CANCEL, _NOT_UNDERSTOOD}
_OPENING, _ASKED, _ANYTHING = Answers.OPENING, Answers.ASKED, Answers.ANYTHING


def step(
    machine: Machine,
    position: Position | None,
    message: Envelope,
    now_ms: int,
    joint: Joint | None = None,
    *,
    sent: bool,
) -> Step | Violation:
    """Return what is so after `message`, or why it does not fit. An automatic one is for `returned`.

    position: of the line with the other party, None before anything was said. sent: the agent whose view this is sent
    it, and did not receive it. joint: of the agent's lines in this conversation, None for nothing so far. now_ms: wall
    time since 1970.
    """
    if position is None:
        return _open(machine, message, now_ms, joint, sent=sent)
    speaker = position.role if sent else 1 - position.role
    if position.cancel or position.deadline_ms <= now_ms or message.performative in _ASIDES:
        return _unusual(machine, position, message, now_ms, joint, speaker)
    move = machine.moves.get(key_of(position.state, speaker, message.performative))
    if move is None:
        return _unfitting(machine, position, position, speaker, message.performative)
    return _moved(machine, position, message, now_ms, joint, move)


def _unusual(
    machine: Machine, position: Position, message: Envelope, now_ms: int, joint: Joint | None, speaker: int
) -> Step | Violation:
    """Check a message where something has lapsed or is cancelled, and one that is legal everywhere."""
    before = position
    if 0 < position.deadline_ms <= now_ms:
        lapsed = expire(machine, position, now_ms, joint)
        position, joint = lapsed.position, lapsed.joint
    said = message.performative
    if said == _CANCEL:
        return cancel(machine, position, message, now_ms, joint, speaker)
    if said == _NOT_UNDERSTOOD:
        return not_understood(machine, position, message, joint, speaker)
    if _answers_cancel(position, message, speaker):
        return answer_cancel(machine, position, said, joint)
    move = machine.moves.get(key_of(position.state, speaker, said))
    if move is None or (position.cancel and speaker == _INITIATOR):
        return _unfitting(machine, before, position, speaker, said)
    return _moved(machine, position, message, now_ms, joint, move)


def expire(machine: Machine, position: Position, now_ms: int, joint: Joint | None = None) -> Step:
    """Return what is so once deadlines have passed: the same if none has. What lapses may lapse again."""
    while 0 < position.deadline_ms <= now_ms:
        if position.cancel:
            place, deadline_ms = CANCELLED, 0
        else:
            place = machine.place_of[machine.states[position.state].lapses_to]
            lapsed = machine.states[place]
            deadline_ms = 0 if lapsed.kind is not None else position.deadline_ms + lapsed.answer_ms
        joint = joined(machine, joint, position, place, deadline_ms)
        position = structs.replace(position, state=place, deadline_ms=deadline_ms)
    return Step(position, joint)


def returned(machine: Machine, position: Position, about: bytes, joint: Joint | None = None) -> Step:
    """Return what is so once the runtime has said that a message between the two came to nothing.

    about: the in_reply_to of its automatic failure or not-understood. The line ends if it was waiting for the answer to
    that message, and goes on otherwise.
    """
    if not position.deadline_ms or not (
        names(about, position.asked or position.opening) or names(about, position.cancel)
    ):
        return Step(position, joint)
    joint = joined(machine, joint, position, UNDELIVERED, 0)
    return Step(structs.replace(position, state=UNDELIVERED, deadline_ms=0, cancel=b""), joint)


def _answers_cancel(position: Position, message: Envelope, speaker: int) -> bool:
    if not position.cancel or speaker != _PARTICIPANT or message.performative not in {INFORM, FAILURE}:
        return False
    return message.in_reply_to is None or names(message.in_reply_to, position.cancel)


def _open(machine: Machine, message: Envelope, now_ms: int, joint: Joint | None, *, sent: bool) -> Step | Violation:
    for speaker in (_INITIATOR, _PARTICIPANT):
        move = machine.moves.get(key_of(-1, speaker, message.performative))
        if move is not None:
            role = speaker if sent else 1 - speaker
            start = Position(machine.number, role, -1, 1, 0, ids_of(message))
            return _moved(machine, start, message, now_ms, joint, move)
    role = Role.INITIATOR if sent else Role.PARTICIPANT
    return violation(machine, role, -1, message.performative, Wrong.OUT_OF_TURN)


def _moved(
    machine: Machine, position: Position, message: Envelope, now_ms: int, joint: Joint | None, move: Move
) -> Step | Violation:
    """Return what a row of the table makes of a message, or what it has against it."""
    place, speaker, lasts_ms, keeps_deadline, answers, renames, asks, next_round, rule, crossing, row = move
    answered = position.opening if answers is _OPENING else _asked(machine, position, answers, speaker)
    named, rounds, rare = message.in_reply_to, position.rounds + next_round, message.rare
    reply_by = rare.reply_by if asks and rare is not None else None
    if crossing or rule or next_round or reply_by is not None or (named is not None and named != answered[:16]):
        wrong = _wrong(machine, position, named, answered, now_ms, joint, move, reply_by)
        if wrong is not None:
            return violation(machine, Role(position.role), position.state, message.performative, wrong)
    if lasts_ms is None:
        deadline_ms = 0
    elif reply_by is not None:
        deadline_ms = min(reply_by, now_ms + MAX_ANSWER_MS)
    elif keeps_deadline and position.deadline_ms:
        deadline_ms = position.deadline_ms
    else:
        deadline_ms = now_ms + lasts_ms
    if position.cancel and deadline_ms:
        deadline_ms = min(deadline_ms, position.deadline_ms)
    if machine.is_joint:
        joint = joined(machine, joint, position, place, deadline_ms, row, rounds)
    return Step(
        Position(
            machine.number,
            position.role,
            place,
            rounds,
            deadline_ms,
            position.opening,
            ids_of(message) if renames else position.asked,
            position.cancel,
            position.marks | (1 << speaker),
        ),
        joint,
        answered[:16] or None,
    )


def _wrong(  # noqa: PLR0913, PLR0917 (what `_moved` has at hand: it asks for one message in a few)
    machine: Machine,
    position: Position,
    named: bytes | None,
    answered: bytes,
    now_ms: int,
    joint: Joint | None,
    move: Move,
    reply_by: int | None,
) -> Wrong | None:
    """Return what a row has against a message: it crosses, names what it may not, is one round more, or late."""
    rounds = position.rounds + move.next_round
    if move.crossing and move.by == position.role:
        return Wrong.OUT_OF_TURN
    if named is not None and move.answers is not _ANYTHING and not names(named, answered):
        return Wrong.UNKNOWN_REPLY
    if rounds > machine.max_rounds:
        return Wrong.ROUNDS
    if reply_by is not None and reply_by <= now_ms:
        return Wrong.LATE
    if move.rule is None or position.role != _INITIATOR:
        return None
    return broken(move.rule, joint, rounds, now_ms)


def _asked(machine: Machine, position: Position, answers: Answers, speaker: int) -> bytes:
    """Return the ids of what was asked of who speaks now, none if nothing was."""
    if answers is _ASKED and machine.states[position.state].awaits == speaker:
        return position.asked or (position.opening if speaker == _PARTICIPANT else b"")
    return b""


def _unfitting(machine: Machine, before: Position, position: Position, speaker: int, said: int) -> Violation:
    """Say why nothing in the table fits: it came too late, twice, after the end, or is nobody's turn."""
    role, place = Role(position.role), position.state
    if before is not position and key_of(before.state, speaker, said) in machine.moves:
        return violation(machine, role, place, said, Wrong.LATE)
    if not position.deadline_ms:
        return violation(machine, role, place, said, Wrong.ENDED)
    repeated = (speaker, said) in machine.ways_to.get(place, ())
    return violation(machine, role, place, said, Wrong.REPEATED if repeated else Wrong.OUT_OF_TURN)
