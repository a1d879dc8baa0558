"""What conversations are limited to where whoever opens one asks for nothing else. One set for the whole runtime."""

import msgspec

from caxton.acl.conversation_limits import (
    DEFAULT_PARTICIPANTS,
    DEFAULT_TIMEOUT_S,
    MAX_PARTICIPANTS,
    MAX_TIMEOUT_S,
    MIN_TIMEOUT_S,
)
from caxton.errors import ConfigurationError

# Messages that a conversation remembers: beyond it, so many of the oldest are forgotten at once.
DEFAULT_HISTORY, MAX_HISTORY = 32, 256
# By field: the least and the most that is allowed.
BOUNDS: dict[str, tuple[int, int]] = {
    "conversation_timeout_s": (MIN_TIMEOUT_S, MAX_TIMEOUT_S),
    "conversation_participants": (1, MAX_PARTICIPANTS),
    "conversation_history": (0, MAX_HISTORY),
}


class ConversationSettings(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """How long conversations last, how many take part, and how much of each is remembered.

    conversation_timeout_s: from the opening, in seconds. conversation_participants: besides whoever opens it.
    conversation_history: messages. Raises ConfigurationError for a number outside its bounds.
    """

    conversation_timeout_s: int = DEFAULT_TIMEOUT_S
    conversation_participants: int = DEFAULT_PARTICIPANTS
    conversation_history: int = DEFAULT_HISTORY

    def __post_init__(self) -> None:
        for field, (least, most) in BOUNDS.items():
            value = getattr(self, field)
            if not least <= value <= most:
                option = f"--{field.replace('_', '-')}"
                raise ConfigurationError(option, f"{value} is out of bounds", f"choose from {least} to {most}")


DEFAULT_CONVERSATIONS = ConversationSettings()
