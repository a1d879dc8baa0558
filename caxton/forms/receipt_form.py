"""A receipt as the gateway tells it."""

import msgspec


class ReceiptForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message was acknowledged. reliability: at_least_once, and it is in the file, or at_most_once.

    is_new: false when its idempotency key was known. agent, tried: of a message to a capability, who has it and who
    refused it before.
    """

    message_id: str
    reliability: str
    is_new: bool
    agent: str | None = None
    tried: tuple[str, ...] = ()
