"""What several messages of one call have in common, and how they leave."""

from itertools import chain
from typing import NamedTuple

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.client.routes.backlog import Entry
from caxton.client.routes.tracing import Tracing
from caxton.client.session.session import Session
from caxton.ids import AgentId, ConversationId


class ToEach(NamedTuple):
    """What is sent to each of several agents."""

    content: object
    performative: Performative | str
    encoding: str | None
    options: DeliveryOptions
    conversation_id: ConversationId | None

    def to(self, agent_id: AgentId, name: str | None) -> Message:
        """Return the message for one of them, who may have been named."""
        return Message(
            agent_id,
            self.content,
            performative=self.performative,
            encoding=self.encoding,
            conversation_id=self.conversation_id,
            receiver_name=name,
            delivery_options=self.options,
        )


def submit(session: Session, by_lane: tuple[list[Entry], list[Entry]], tracing: Tracing) -> None:
    """Hand messages over to be sent: those of the volatile lane, and those of the durable one."""
    volatile, durable = by_lane
    tracing.mark(chain(volatile, durable))
    if volatile:
        session.submit(volatile, Lane.VOLATILE)
    if durable:
        session.submit(durable, Lane.DURABLE)
