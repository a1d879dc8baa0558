"""The fields of a message, checked: each returns what travels, or raises ValidationError that names the field."""

from difflib import get_close_matches

from caxton.acl.performative import ACTS, Performative
from caxton.errors import ValidationError
from caxton.ids import BROADCAST, ConversationId, MessageId
from caxton.printable import shown

MAX_TEXT = 255
# Characters of what may be an act mistyped: to compare longer text with each of them takes long, and says nothing.
_LONGEST_SLIP = 40


def text(field: str, value: object) -> str | None:
    """Return a text of at most 255 characters that UTF-8 can carry, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValidationError(field, f"{shown(value)} is not text of at most {MAX_TEXT} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValidationError(field, f"{shown(value)} has characters that UTF-8 cannot carry") from error
    return value


def agent(field: str, value: object) -> int:
    """Return the number of an agent's id, broadcast included."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= BROADCAST:
        hint = "; `client.id_of` gives the id of a name" if isinstance(value, str) else ""
        raise ValidationError(field, f"{shown(value)} is not an agent id{hint}")
    return int(value)


def moment(field: str, value: object) -> int | None:
    """Return a moment in milliseconds since 1970, or None."""
    if value is None or (type(value) is int and 0 <= value < 1 << 63):
        return value
    raise ValidationError(field, f"{shown(value)} is not a time in milliseconds since 1970")


def performative_number(value: object) -> int:
    """Return the number of an act, which may be given by its name."""
    if type(value) is Performative:
        return int(value)
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(Performative(value))  # type: ignore[arg-type] # a name is found by `_missing_`
    except ValueError:
        pass
    near = get_close_matches(value.lower(), ACTS, 1) if isinstance(value, str) and len(value) <= _LONGEST_SLIP else []
    hint = f"; is {near[0]!r} meant?" if near else ""
    raise ValidationError("performative", f"{shown(value)} is not one of FIPA's 22 acts{hint}")


def raw_id(field: str, value: object, kind: type[MessageId | ConversationId]) -> bytes | None:
    """Return the 16 bytes of an id of this kind, or None."""
    if value is None:
        return None
    if not isinstance(value, kind):
        hint = f"; make one with caxton.{kind.__name__}.parse(text)" if isinstance(value, str) else ""
        raise ValidationError(field, f"{shown(value)} is not a {kind.__name__}{hint}")
    return bytes(value)
