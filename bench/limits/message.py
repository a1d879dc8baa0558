"""A message of the bare loops: as many fields as those of a runtime, none of them checked."""

import msgspec

# Of one frame.
BATCH = 256
_LATER_MS = 10**12


class Message(msgspec.Struct, array_like=True, gc=False):
    """sender, receiver: numbers of agents; a client is 1. The rest is carried, and read by nobody."""

    message_id: bytes
    performative: int
    sender: int
    receiver: int
    content: bytes
    reply_with: bytes | None = None
    in_reply_to: bytes | None = None
    conversation_id: bytes | None = None
    created_at: int = _LATER_MS
    level: int = 5
    timeout_ms: int = 30_000
    flags: int = 0
    rare: bytes | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Message]).decode


def requests(receivers: list[int], content: bytes, number: int) -> list[Message]:
    """Return a request to each receiver; number: of the first, for their ids."""
    return [
        Message((number + place).to_bytes(16), 3, 1, receiver, content, b"r" * 16)
        for place, receiver in enumerate(receivers)
    ]
