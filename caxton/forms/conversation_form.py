"""A conversation as `-o json` prints it and the gateway tells it."""

import base64
from typing import Any

import msgspec

from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.performative import ACTS
from caxton.conversations.state import TOLD_STATES
from caxton.conversations.summary import Summary
from caxton.conversations.view import ConversationView
from caxton.forms.moments import moment, read_moment
from caxton.ids import AgentId, ConversationId, MessageId


class SaidForm(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a conversation. bytes: of its content.

    content: where the conversation keeps contents, as text; content_base64: one that is no text. automatic: it is the
    runtime's own word.
    """

    message_id: str
    performative: str
    sender: str
    receiver: str
    sent_at: str
    bytes: int
    in_reply_to: str | None
    automatic: bool
    content: str | msgspec.UnsetType = msgspec.UNSET
    content_base64: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, said: Summary) -> "SaidForm":
        """Return the form of a summary."""
        return cls(
            message_id=str(MessageId(said.message_id)),
            performative=ACTS[said.performative],
            sender=str(AgentId(said.sender)),
            receiver=str(AgentId(said.receiver)),
            sent_at=moment(said.sent_at),
            bytes=said.size,
            in_reply_to=None if said.in_reply_to is None else str(MessageId(said.in_reply_to)),
            automatic=said.automatic,
            **_content(said.content),
        )

    def summary(self) -> Summary:
        """Return the summary that it is the form of. Raises ParseError, ValueError."""
        content = None if isinstance(self.content, msgspec.UnsetType) else self.content.encode()
        if not isinstance(self.content_base64, msgspec.UnsetType):
            content = base64.b64decode(self.content_base64)
        return Summary(
            bytes(MessageId.parse(self.message_id)),
            ACTS.index(self.performative),
            int(AgentId.parse(self.sender)),
            int(AgentId.parse(self.receiver)),
            read_moment(self.sent_at),
            self.bytes,
            None if self.in_reply_to is None else bytes(MessageId.parse(self.in_reply_to)),
            content,
            self.automatic,
        )


class ConversationForm(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation, as `ConversationView` has it, under the names that programs read."""

    id: str
    state: str
    outcome: str | None
    error: str | None
    protocol: str | None
    initiator: str
    participants: list[str]
    messages: int
    bytes: int
    created_at: str
    last_activity: str
    expires_at: str
    resumed: int
    archived: bool
    shards: list[int]
    limits: dict[str, Any]
    history: list[SaidForm]

    @classmethod
    def of(cls, view: ConversationView) -> "ConversationForm":
        """Return the form of a view."""
        return cls(
            id=str(view.id),
            state=view.state,
            outcome=view.outcome,
            error=view.error,
            protocol=view.protocol,
            initiator=str(AgentId(view.initiator)),
            participants=[str(party) for party in view.participants],
            messages=view.messages,
            bytes=view.size,
            created_at=moment(view.opened_at),
            last_activity=moment(view.last_activity),
            expires_at=moment(view.expires_at),
            resumed=view.resumed,
            archived=view.is_archived,
            shards=list(view.shards),
            limits={name: value for name, value in msgspec.structs.asdict(view.limits).items() if value},
            history=[SaidForm.of(said) for said in view.history],
        )

    def view(self) -> ConversationView:
        """Return the view that it is the form of; where its protocols stand is in its state. Raises ValueError."""
        return ConversationView(
            bytes(ConversationId.parse(self.id)),
            int(AgentId.parse(self.initiator)),
            tuple(int(AgentId.parse(party)) for party in self.participants),
            TOLD_STATES.index(self.state),
            self.outcome or self.error or "",
            self.messages,
            self.bytes,
            read_moment(self.created_at),
            read_moment(self.last_activity),
            read_moment(self.expires_at),
            self.protocol,
            self.resumed,
            msgspec.convert(self.limits, ConversationLimits).opening,
            tuple(said.summary() for said in self.history),
            tuple(self.shards),
            self.archived,
        )


def _content(content: bytes | None) -> dict[str, str]:
    if content is None:
        return {}
    try:
        return {"content": content.decode()}
    except UnicodeDecodeError:
        return {"content_base64": base64.b64encode(content).decode()}
