"""What one agent may use. Checked when made; the worker enforces them at every entry into the guest."""

import msgspec

from caxton.acl.envelope import MAX_CONTENT, MAX_HOPS, MOST_OF_TURN
from caxton.errors import ValidationError
from caxton.printable import shown

KIB = 1 << 10
MIB = 1 << 20
PAGE = 64 * KIB
MAX_MODULE = 64 * MIB
# What one agent may keep as its state, in bytes.
MAX_STATE = 64 * KIB

# Messages that may wait for one agent where neither its deployment nor the runtime says.
DEFAULT_CAPACITY = 1_000

# The least and the most of each limit.
BOUNDS = {
    "max_memory_bytes": (PAGE, 256 * MIB),
    "max_fuel": (10_000, 10**12),
    "max_execution_ms": (1, 10_000),
    "max_message_bytes": (0, MAX_CONTENT),
    "max_output_bytes": (1, MAX_CONTENT),
    "max_output_messages": (1, MOST_OF_TURN),
    "mailbox_capacity": (1, 100_000),
    "max_hops": (0, MAX_HOPS),
}


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one agent, each within the bounds that docs/abi.md lists. Raises ValidationError, also when decoded.

    max_memory_bytes: linear memory, in bytes. max_fuel: wasm instructions per call, about.
    max_execution_ms: computing time of one message, the start of its instance included; its shard waits meanwhile.
    max_message_bytes: content it takes. max_output_bytes, max_output_messages: what one turn may return.
    mailbox_capacity: messages that may wait; at three quarters of it senders are held back, and let go on at a half.
    None: as many as is usual in the runtime that it is deployed to, 1,000 unless `inbound_queue_size` says otherwise.
    max_hops: how far from a client's message what it sends to agents may be, 0 for nothing at all; the message's own
    limit, 1,000 unless its sender says otherwise, holds besides.
    """

    max_memory_bytes: int = 16 * MIB
    max_fuel: int = 50_000_000
    max_execution_ms: int = 50
    max_message_bytes: int = 1 * MIB
    max_output_bytes: int = 1 * MIB
    max_output_messages: int = 256
    mailbox_capacity: int | None = None
    max_hops: int = MAX_HOPS

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is None and name == "mailbox_capacity":
                continue
            if type(value) is not int or not least <= value <= most:
                raise ValidationError(f"limits.{name}", f"{shown(value)} is not a whole number from {least} to {most}")


DEFAULT_LIMITS = Limits()


def with_capacity(limits: Limits, usual: int) -> Limits:
    """Return limits that say how many messages a mailbox holds: the usual number where they leave it open."""
    return limits if limits.mailbox_capacity is not None else msgspec.structs.replace(limits, mailbox_capacity=usual)
