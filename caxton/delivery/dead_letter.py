"""Why a message became a dead letter."""

from enum import StrEnum

from caxton.errors import (
    AgentFailure,
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    CircuitBreakerOpen,
    Deadlock,
    HopLimitExceeded,
    MessageExpired,
    MessageTooLarge,
    NetworkError,
    NoCapableAgents,
    QueueFull,
    ResourceExhausted,
    RoutingError,
    SessionNotFound,
    StorageError,
    Timeout,
    WorkLimitExceeded,
)


class Reason(StrEnum):
    """What failed; or why a receiver that was there is there no more."""

    AGENT_NOT_FOUND = "agent_not_found"
    AGENT_NOT_RESPONDING = "agent_not_responding"
    NETWORK_ERROR = "network_error"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    MESSAGE_TOO_LARGE = "message_too_large"
    INVALID_MESSAGE = "invalid_message"
    CIRCUIT_BREAKER_OPEN = "circuit_breaker_open"
    QUEUE_FULL = "queue_full"
    # What follows from one message went too far, or was too much.
    HOP_LIMIT = "hop_limit"
    WORK_LIMIT = "work_limit"
    # Its receiver waits for what comes of it, and handles no more at a time.
    DEADLOCK = "deadlock"
    TIMEOUT = "timeout"
    RETRY_LIMIT = "retry_limit"
    EXPIRED = "expired"
    POISON = "poison"
    # Somebody ended the receiver on purpose: requeueing makes sense when it is back.
    AGENT_STOPPED = "agent_stopped"
    AGENT_REMOVED = "agent_removed"
    SESSION_ENDED = "session_ended"
    # For a capability: nobody who is healthy has it; or it is not known yet who else has it, and that is asked.
    NO_CAPABLE_AGENTS = "no_capable_agents"
    UNRESOLVED = "unresolved"


_ENDED_ON_PURPOSE = {"draining", "stopped"}
_REASONS: tuple[tuple[type[CaxtonError], Reason], ...] = (
    (AgentNotFound, Reason.AGENT_NOT_FOUND),
    (CircuitBreakerOpen, Reason.CIRCUIT_BREAKER_OPEN),
    (QueueFull, Reason.QUEUE_FULL),
    (HopLimitExceeded, Reason.HOP_LIMIT),
    (WorkLimitExceeded, Reason.WORK_LIMIT),
    (Deadlock, Reason.DEADLOCK),
    (MessageExpired, Reason.EXPIRED),
    (SessionNotFound, Reason.SESSION_ENDED),
    (NoCapableAgents, Reason.NO_CAPABLE_AGENTS),
    (RoutingError, Reason.AGENT_NOT_RESPONDING),  # and every other kind of it
    (MessageTooLarge, Reason.MESSAGE_TOO_LARGE),
    (ResourceExhausted, Reason.RESOURCE_EXHAUSTED),
    (StorageError, Reason.RESOURCE_EXHAUSTED),
    (NetworkError, Reason.NETWORK_ERROR),
    (Timeout, Reason.TIMEOUT),
    (AgentFailure, Reason.RETRY_LIMIT),
)


def reason_of(error: CaxtonError) -> Reason:
    """Return the reason that fits an error; `invalid_message` for one that no sending again can mend."""
    if isinstance(error, AgentNotRunning) and error.state in _ENDED_ON_PURPOSE:
        return Reason.AGENT_STOPPED
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.INVALID_MESSAGE)
