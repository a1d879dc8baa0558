"""What a conversation may be: its bounds, and the limits that whoever opens one may ask for."""

import msgspec

from caxton.acl.envelope import MAX_HOPS, Opening
from caxton.errors import ValidationError
from caxton.printable import shown

DEFAULT_PARTICIPANTS, MAX_PARTICIPANTS = 100, 1_000
MIN_TIMEOUT_S, DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S = 300, 1_800, 86_400
# Messages that agents are given in one conversation, and bytes of what it says, where somebody asks for a limit.
MAX_TURNS, MAX_BYTES = 1_000_000_000, 1 << 50
# By field: the least and the most.
BOUNDS: dict[str, tuple[int, int]] = {
    "max_participants": (1, MAX_PARTICIPANTS),
    "timeout_s": (MIN_TIMEOUT_S, MAX_TIMEOUT_S),
    "max_hops": (1, MAX_HOPS),
    "max_turns": (1, MAX_TURNS),
    "max_bytes": (1, MAX_BYTES),
}


class ConversationLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the conversation may be that a message opens. Raises ValidationError for a number outside its bounds.

    They are those of the message that opens it; in a later one they change nothing. None is what the runtime has.
    max_participants: besides whoever opens it, from 1 to 1,000; another one is refused (TooManyParticipants).
    timeout_s: seconds from its opening to its end, from 300 to 86,400. max_hops: how many hops its messages may be from
    what a client sent, from 1 to 100,000. max_turns: messages that agents are given in it. max_bytes: of all contents.
    What is beyond these three stops it (ConversationStopped), as its time does (ConversationTimeout), and those who
    take part are told. keep_contents: its history holds what was said, each up to 4,096 bytes, and not only how much.
    """

    max_participants: int | None = None
    timeout_s: int | None = None
    max_hops: int | None = None
    max_turns: int | None = None
    max_bytes: int | None = None
    keep_contents: bool = False

    def __post_init__(self) -> None:
        for field, (least, most) in BOUNDS.items():
            value = getattr(self, field)
            if value is not None and (type(value) is not int or not least <= value <= most):
                raise ValidationError(field, f"{shown(value)} is not a whole number from {least} to {most}")
        if type(self.keep_contents) is not bool:
            raise ValidationError("keep_contents", f"{shown(self.keep_contents)} is not True or False")

    @property
    def opening(self) -> Opening:
        """These limits as they travel."""
        return Opening(
            self.max_participants or 0,
            self.timeout_s or 0,
            self.max_hops or 0,
            self.max_turns or 0,
            self.max_bytes or 0,
            self.keep_contents,
        )

    @classmethod
    def of(cls, opening: Opening) -> "ConversationLimits":
        """Return the limits that a message came with; what is out of bounds there is brought within them."""
        given = {
            "max_participants": opening.participants,
            "timeout_s": opening.timeout_s,
            "max_hops": opening.hops,
            "max_turns": opening.turns,
            "max_bytes": opening.size,
        }
        within = {name: min(max(value, BOUNDS[name][0]), BOUNDS[name][1]) for name, value in given.items() if value}
        return cls(**within, keep_contents=opening.keeps_contents)
