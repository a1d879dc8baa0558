"""One message that an attached agent is given, and the seal by which is known that what it sends follows from that."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import SEAL_BYTES, Envelope, Id

Sequence = Annotated[int, msgspec.Meta(ge=0)]
Seal = Annotated[bytes, msgspec.Meta(max_length=SEAL_BYTES)]


class Delivery(msgspec.Struct, array_like=True, frozen=True):
    """One message for an attached agent. attempts: 2 and more mean that it may have been handled before.

    seal: of the cause of what this session sends while it handles the message, if it wants seals.
    """

    delivery: Sequence
    attempts: Sequence
    message: Envelope
    seal: Seal | None = None


class AskSeal(msgspec.Struct, array_like=True, tag=37, frozen=True):
    """Ask for the seal of the cause of what this session sends while it handles a delivery of an attached agent."""

    agent_id: Id
    delivery: Sequence


class Sealed(msgspec.Struct, array_like=True, tag=38, frozen=True):
    """The seal (`caxton.links.session`)."""

    seal: Seal
