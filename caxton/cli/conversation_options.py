"""The options of `caxton serve` that limit conversations; each has its variable of the environment too."""

from typing import Annotated, Any

import typer

from caxton.config.conversations import BOUNDS


def _bounded(field: str, meaning: str) -> Any:
    least, most = BOUNDS[field]
    return typer.Option(min=least, max=most, envvar=f"CAXTON_{field.upper()}", help=meaning)


ConversationTimeout = Annotated[
    int,
    _bounded("conversation_timeout_s", "Seconds that a conversation lasts, if its first message says no other."),
]
ConversationParticipants = Annotated[
    int, _bounded("conversation_participants", "Participants of a conversation, likewise, besides who opened it.")
]
ConversationHistory = Annotated[int, _bounded("conversation_history", "Messages that a conversation remembers.")]
