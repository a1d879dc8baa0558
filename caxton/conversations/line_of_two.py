"""The line of an exchange: what a client and an agent say to each other by a protocol that looks at these two alone."""

from msgspec import structs

from caxton.acl.envelope import Envelope
from caxton.conversations.exchange import Exchange
from caxton.ids import SESSION_BIT
from caxton.protocols import BY_NAME, BY_NUMBER, Position, Violation, step


def opened(message: Envelope, now_ms: int, wall_ms: int) -> Position | None:
    """Return where the line stands that a message opens at the agent that is given it; None where it takes a record.

    now_ms: on the clock of what is stored; wall_ms: the same moment since 1970.
    """
    rare = message.rare
    if rare is None or rare.protocol is None or rare.conversation is not None or rare.reply_to is not None:
        return None
    machine = BY_NAME.get(rare.protocol)
    if machine is None or machine.is_joint or message.sender < SESSION_BIT:
        return None
    found = step(machine, None, on_served_time(message, now_ms - wall_ms), now_ms, sent=False)
    if isinstance(found, Violation) or not found.position.deadline_ms:
        return None
    return found.position


def moved(exchange: Exchange, message: Envelope, now_ms: int, wall_ms: int, *, sent: bool) -> Position | None:
    """Return where the line of an exchange stands after a message that names a protocol; None where it takes a record.

    sent: the agent sends it, and is not given it. now_ms, wall_ms: as in `opened`.
    """
    rare, before = message.rare, exchange.position
    if rare is None or before is None:
        return None
    machine = BY_NUMBER[before.machine]
    if rare.protocol != machine.name:
        return None
    found = step(machine, before, on_served_time(message, now_ms - wall_ms), now_ms, sent=sent)
    if isinstance(found, Violation) or (found.position.deadline_ms and not before.deadline_ms):
        return None
    return found.position


def on_served_time(message: Envelope, ahead_ms: int) -> Envelope:
    """Return a message as the checker takes it: what it says of time is on the clock of what is stored."""
    rare = message.rare
    if rare is None or rare.reply_by is None:
        return message
    reply_by = max(1, rare.reply_by + ahead_ms)
    return structs.replace(message, rare=structs.replace(rare, reply_by=reply_by))
