"""Messages that a conversation does not take, and conversations that are not there."""

from dataclasses import dataclass

from caxton.errors.given import ValidationError
from caxton.errors.root import CaxtonError
from caxton.errors.routing import RoutingError


@dataclass(eq=False)
class ConversationNotFound(ValidationError):
    """No shard knows a conversation with this id: it ended long ago, or there never was one."""


@dataclass(eq=False)
class TooManyParticipants(RoutingError):
    """Somebody more would take part in a conversation than may; whoever opened it is not counted."""

    conversation: str
    limit: int
    says = "conversation {conversation} has {limit} participants already, as many as it may have"
    hint = "open it with a higher max_participants, up to 1,000"


@dataclass(eq=False)
class ConversationEnded(RoutingError):
    """Nothing more is said in this conversation."""

    conversation: str
    state: str
    says = "conversation {conversation} is {state}"
    hint = "open another one, or resume it: `caxton conversation resume`"


@dataclass(eq=False)
class ConversationTimeout(ConversationEnded):
    """It was as long as it may last, in seconds."""

    timeout_s: float
    says = "conversation {conversation} is {state}: it lasted {timeout_s:g} s, as long as it may"


@dataclass(eq=False)
class ConversationStopped(ConversationEnded):
    """It came to one of its limits: hops, turns or bytes."""

    what: str
    limit: int
    says = "conversation {conversation} is {state}: it has come to its limit of {limit} {what}"


@dataclass(eq=False)
class NotUnderstood(RoutingError):
    """What was said does not fit the conversation; an agent is told so by `not-understood`, and not by a failure."""


@dataclass(eq=False)
class NotAParticipant(NotUnderstood):
    """Somebody speaks in a conversation of others."""

    conversation: str
    sender: str
    says = "{sender} takes no part in conversation {conversation}, which is one of others"
    hint = "open a conversation with an id of its own, or have one of its participants write first"


@dataclass(eq=False)
class ProtocolViolation(NotUnderstood):
    """A message that does not fit the protocol that it names, as the agent sees it whose view was asked.

    role: that agent's, initiator or participant. state: where its part of the conversation stands, "start" before
    anything was said. expected: what would have fitted. problem: in which way it does not.
    """

    protocol: str
    role: str
    state: str
    performative: str
    expected: str
    problem: str = "it is not the turn for it"
    says = (
        "{performative} does not fit {protocol}: {problem}; the {role} is in the state {state}, where what fits is "
        "{expected}"
    )
    hint = "see docs/protocols.md"


@dataclass(eq=False)
class AnswerOverdue(CaxtonError):
    """An agent has waited for the other party's word as long as its protocol lets it; `outcome` is what is so now."""

    protocol: str
    state: str
    outcome: str
    says = "what {protocol} waits for in the state {state} was not said in time; it is {outcome} now"
