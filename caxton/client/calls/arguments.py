"""What callers give, looked at before anything is sent: a mistake is a ValidationError that says what is wanted."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.errors import AgentNotFound, CaxtonError, ValidationError, to_fields
from caxton.ids import AgentId
from caxton.printable import shown
from caxton.wire.calls import AgentView

T = TypeVar("T")

# A wait of 30 years: beyond it a loop's timers overflow.
LONGEST_S = 1_000_000_000
# How an agent's id is written.
_HEX = re.compile(r"[0-9a-f]{16}")


def seconds(timeout_s: object, field: str = "timeout_s") -> float:
    """Return a timeout in seconds; 0 is up at once. Every wait has an end, so None is refused."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 <= timeout_s <= LONGEST_S:
        raise ValidationError(field, f"{shown(timeout_s)} is not a number of seconds from 0 to {LONGEST_S:,}")
    return float(timeout_s)


def some_seconds(deadline_s: object, field: str = "deadline_s") -> float:
    """Return a time in which others may answer, in seconds; raises ValidationError also for 0, in which nobody can."""
    found = seconds(deadline_s, field)
    if not found:
        raise ValidationError(field, "nobody can answer within 0 seconds")
    return found


def check_whole(field: str, value: object, least: int, most: int) -> None:
    """Raise ValidationError unless `value` is a whole number within these bounds."""
    if type(value) is not int or not least <= value <= most:
        raise ValidationError(field, f"{shown(value)} is not a whole number from {least} to {most}")


def since_1970_ms(field: str, moment: object) -> int:
    """Return a moment in milliseconds since 1970; a datetime without a time zone is one of local time."""
    if isinstance(moment, datetime):
        try:
            return max(0, int(moment.timestamp() * 1_000))
        except (OverflowError, ValueError):  # in some places of the world the year 1 began in the year 0
            return 0
    if type(moment) is not int or not 0 <= moment < 1 << 63:
        raise ValidationError(field, f"{shown(moment)} is not a moment: a datetime, or milliseconds since 1970")
    return moment


def listed(values: Iterable[T], kind: type[T], field: str) -> Sequence[T]:
    """Return what any iterable gives, as a list unless it is one; one value alone, and a text, are no iterables here.

    What is in it is not looked at.
    """
    if isinstance(values, list | tuple):
        return values
    if isinstance(values, kind | str | bytes) or not isinstance(values, Iterable):
        raise ValidationError(field, f"{type(values).__name__} where a list of {kind.__name__} is wanted")
    return list(values)


def envelopes_of(messages: Iterable[Message]) -> list[Envelope]:
    """Return what these messages travel as; raises ValidationError when one is no Message."""
    given = listed(messages, Message, "messages")
    try:
        return [message.envelope for message in given]
    except AttributeError:
        wrong = not_messages(given)
        if wrong is None:
            raise
        raise wrong from None


def not_messages(messages: Iterable[object]) -> ValidationError | None:
    """Return what is wrong with a list in which something is no message; None when all are."""
    for place, found in enumerate(messages):
        if not isinstance(found, Message):
            hint = "; make one of it with caxton.Message(receiver, content)" if isinstance(found, tuple | list) else ""
            return ValidationError(f"messages[{place}]", f"{type(found).__name__} where a Message is wanted{hint}")
    return None


def as_typed(error: CaxtonError, agent: object, agent_id: AgentId) -> CaxtonError:
    """Return the error with the name that the caller typed, or that the view has, where it has the agent's id."""
    if isinstance(agent, AgentView):
        agent = agent.name
    if not isinstance(agent, str):
        return error
    values = to_fields(error)
    named = {field: agent for field, value in values.items() if value == str(agent_id)}
    typed = type(error)(**(values | named)) if named else error
    if isinstance(typed, AgentNotFound) and typed.agent == agent and _HEX.fullmatch(agent):
        return typed.suggesting("text is a name; for the agent of this id give caxton.AgentId.parse(text)")
    return typed
