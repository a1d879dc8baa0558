"""What is legal in every protocol: the initiator's cancel with its answer, and that somebody has not understood."""

from msgspec import structs

from caxton.acl.envelope import Envelope
from caxton.acl.performative import Performative
from caxton.protocols.correlation import ids_of, names
from caxton.protocols.machine import CANCEL_MS, CANCELLED, MAX_ANSWER_MS, NOT_UNDERSTOOD, Machine, Role
from caxton.protocols.position import CANCELLED_LATE, SPOKEN_BY, TOLD_BY, Joint, Position, Step
from caxton.protocols.rules import joined
from caxton.protocols.violation import Violation, Wrong, violation

_CANCEL = int(Performative.CANCEL)
_INITIATOR = int(Role.INITIATOR)
# What a participant may answer to a cancel: an inform that it is so, or a failure.
INFORM, FAILURE = int(Performative.INFORM), int(Performative.FAILURE)


def cancel(
    machine: Machine, position: Position, message: Envelope, now_ms: int, joint: Joint | None, speaker: int
) -> Step | Violation:
    """The initiator wants no more of it. One that comes after the end has crossed it, and only wants its answer."""
    sent = speaker == position.role
    wrong = None
    if speaker != _INITIATOR:
        wrong = Wrong.OUT_OF_TURN
    elif position.cancel or position.marks & CANCELLED_LATE:
        wrong = Wrong.REPEATED
    elif not position.deadline_ms and sent:
        wrong = Wrong.ENDED
    elif message.in_reply_to is not None and not names(message.in_reply_to, position.asked or position.opening):
        wrong = Wrong.UNKNOWN_REPLY
    if wrong is not None:
        return violation(machine, Role(position.role), position.state, _CANCEL, wrong)
    until_ms = now_ms + CANCEL_MS
    if message.rare is not None and message.rare.reply_by is not None:
        until_ms = min(max(message.rare.reply_by, now_ms + 1), now_ms + MAX_ANSWER_MS)
    ends = structs.replace(
        position,
        cancel=ids_of(message),
        deadline_ms=min(position.deadline_ms, until_ms),
        marks=position.marks if position.deadline_ms else position.marks | CANCELLED_LATE,
    )
    return Step(ends, joint)


def cancelled_for(machine: Machine, position: Position, joint: Joint | None) -> Step:
    """The initiator is gone, and the runtime says `cancel` for it: the line ends, and that may still be answered."""
    joint = joined(machine, joint, position, CANCELLED, 0)
    marks = position.marks | CANCELLED_LATE
    return Step(structs.replace(position, state=CANCELLED, deadline_ms=0, cancel=b"", marks=marks), joint)


def answer_cancel(machine: Machine, position: Position, said: int, joint: Joint | None) -> Step:
    """The participant has answered a cancel: an inform ends the line, after a failure it goes on where it was."""
    answers = position.cancel[:16]
    if said == FAILURE or not position.deadline_ms:
        return Step(structs.replace(position, cancel=b""), joint, answers)
    joint = joined(machine, joint, position, CANCELLED, 0)
    return Step(structs.replace(position, cancel=b"", state=CANCELLED, deadline_ms=0), joint, answers)


def not_understood(
    machine: Machine, position: Position, message: Envelope, joint: Joint | None, speaker: int
) -> Step | Violation:
    """Whoever was spoken to may say so, of anything that was said: it ends the line, or tells of its last message."""
    wrong = None
    if not position.marks & SPOKEN_BY[1 - speaker]:
        wrong = Wrong.OUT_OF_TURN
    elif position.marks & TOLD_BY[speaker]:
        wrong = Wrong.REPEATED
    if wrong is not None:
        return violation(machine, Role(position.role), position.state, message.performative, wrong)
    marks = position.marks | TOLD_BY[speaker]
    if not position.deadline_ms:
        return Step(structs.replace(position, marks=marks), joint)
    joint = joined(machine, joint, position, NOT_UNDERSTOOD, 0)
    return Step(structs.replace(position, state=NOT_UNDERSTOOD, deadline_ms=0, cancel=b"", marks=marks), joint)
