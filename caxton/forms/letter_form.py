"""A dead letter as the gateway tells it."""

from typing import Any

import msgspec

from caxton.forms.message_form import read_told, told_values
from caxton.forms.moments import moment, read_moment
from caxton.wire.calls import DeadLetter, Failed


class LetterError(msgspec.Struct, frozen=True):
    """Why a message came to nothing: the code of an error, and its fields."""

    code: str
    fields: dict[str, Any]


class LetterForm(msgspec.Struct, frozen=True, kw_only=True):
    """A message that came to nothing. message: as it was sent; its content only where it was asked for."""

    id: str
    reason: str
    error: LetterError
    attempts: int
    retry_reasons: list[str]
    died_at: str
    content_bytes: int
    requeued_from: str | None
    message: dict[str, Any]

    @classmethod
    def of(cls, letter: DeadLetter, *, with_content: bool) -> "LetterForm":
        """Return the form of a dead letter."""
        message = told_values(letter.message)
        if not with_content:
            message.pop("content", None)
        return cls(
            id=letter.id,
            reason=letter.reason,
            error=LetterError(letter.error.error, letter.error.fields),
            attempts=letter.attempts,
            retry_reasons=list(letter.retry_reasons),
            died_at=moment(letter.died_at),
            content_bytes=letter.content_bytes,
            requeued_from=None if letter.requeued_from is None else f"{letter.shard}-{letter.requeued_from}",
            message=message,
        )

    def letter(self) -> DeadLetter:
        """Return the dead letter that it is the form of. Raises ValidationError, ValueError."""
        shard, _, number = self.id.partition("-")
        before = None if self.requeued_from is None else int(self.requeued_from.partition("-")[2])
        return DeadLetter(
            int(number),
            int(shard),
            self.reason,
            Failed(self.error.code, self.error.fields),
            self.attempts,
            read_moment(self.died_at),
            self.content_bytes,
            read_told(self.message).envelope,
            before,
            tuple(self.retry_reasons),
        )
