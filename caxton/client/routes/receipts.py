"""What a send returns: the message is safe on its lane."""

import msgspec

from caxton.acl.options import Lane
from caxton.ids import AgentId, MessageId


class Receipt(msgspec.Struct, frozen=True, gc=False, repr_omit_defaults=True):
    """The message was acknowledged by its receiver's shard.

    On the durable lane it, or what came of it, is committed and fsynced: it is processed, or stands in the dead letters
    with a reason, or waits, whatever ends meanwhile. On the volatile lane it is in its receiver's mailbox, or run.

    lane: which of the two. raw_id: the 16 bytes of the message's id, for whoever keeps many of them. is_new: False when
    its idempotency key was known, so that the agent gets the first message with that key and not this one. agent,
    tried: of a message to a capability, who has it, and who refused it before.
    """

    raw_id: bytes
    lane: Lane
    is_new: bool = True
    agent: AgentId | None = None
    tried: tuple[AgentId, ...] = ()

    @property
    def message_id(self) -> MessageId:
        """The id that was stamped; dead letters and answers name it."""
        return MessageId(self.raw_id)

    def __repr__(self) -> str:
        agent = "" if self.agent is None else f" with {self.agent}"
        return f"Receipt({self.message_id}, {self.lane.reliability}{agent}{'' if self.is_new else ', not new'})"
