"""A message as the gateway tells it: its JSON form, and whether the runtime made it by itself."""

from collections.abc import Mapping

from msgspec.structs import replace

from caxton.acl.envelope import AUTOMATIC
from caxton.acl.json_form import message_values, read_message
from caxton.acl.message import Message

_AUTOMATIC = "automatic"


def told_values(message: Message) -> dict[str, object]:
    """Return a message's values, with `automatic` where the runtime made it by itself."""
    values = message_values(message)
    return values | {_AUTOMATIC: True} if message.envelope.flags & AUTOMATIC else values


def read_told(values: Mapping[str, object]) -> Message:
    """Return the message that a gateway told; raises InvalidMessageFormat, ValidationError."""
    message = read_message({name: value for name, value in values.items() if name != _AUTOMATIC})
    if values.get(_AUTOMATIC) is not True:
        return message
    return Message.of(replace(message.envelope, flags=message.envelope.flags | AUTOMATIC))
