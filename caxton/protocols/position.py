"""Where a line stands, and what the lines of one initiator have in common. Small values that shards keep and store."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Cause

_Count = Annotated[int, msgspec.Meta(ge=0)]
# One id or two: of a message that has a reply_with and its own id, either may be named.
_Ids = Annotated[bytes, msgspec.Meta(max_length=32)]

# Who has said something, and who has said afterwards, once, that it did not understand.
# Then: a cancel came after the end; and what opened the line was for whoever can do it, who may be another one by now.
SPOKEN_BY, TOLD_BY, CANCELLED_LATE, SOUGHT = (1, 2), (4, 8), 16, 32


class Position(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where one line stands: what one agent and one other party have said in one conversation, as that agent saw it.

    machine, state: their numbers. role: the agent's own. rounds: from 1. deadline_ms: wall time since 1970 at which the
    state lapses, 0 for an end. opening, asked: the ids by which answers name the message that opened the line, and the
    latest that asks for an answer; asked is empty while that is the same. cancel: those of a cancel that has no answer
    yet. marks: SPOKEN_BY, TOLD_BY, CANCELLED_LATE, SOUGHT. At most 140 bytes, without `cause`: that of what was said
    last, for the runtime's word about it; the machines do not look at it.
    """

    machine: _Count
    role: Annotated[int, msgspec.Meta(ge=0, le=1)]
    state: _Count
    rounds: _Count
    deadline_ms: _Count
    opening: _Ids
    asked: _Ids = b""
    cancel: _Ids = b""
    marks: _Count = 0
    cause: Cause | None = None


class Joint(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an initiator's lines in one conversation come to together.

    waiting: how many participants have an answer still to give, until `until_ms` at the latest. chosen_round: the last
    round in which somebody was chosen. awarded: somebody was chosen for good. recruits: others may speak to it.
    """

    waiting: _Count = 0
    until_ms: _Count = 0
    chosen_round: _Count = 0
    awarded: bool = False
    recruits: bool = False


NOTHING_JOINT = Joint()


class Step(msgspec.Struct, frozen=True, gc=False):
    """What is so once a message was said, or a deadline has passed.

    position: where the line stands. joint: what the initiator's lines come to, None where that is nobody's concern.
    answers: the id that the message answers, for its in_reply_to if it names none. The runtime keeps
    `position.deadline_ms`, and calls `expire` at it.
    """

    position: Position
    joint: Joint | None
    answers: bytes | None = None
