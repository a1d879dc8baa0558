"""The reason that each error stands for."""

import pytest

from caxton import errors
from caxton.delivery.dead_letter import Reason, reason_of
from caxton.errors import BY_NAME, from_fields

EXAMPLES = [
    (errors.AgentNotFound("a"), Reason.AGENT_NOT_FOUND),
    (errors.AgentNotRunning("a", "paused"), Reason.AGENT_NOT_RESPONDING),
    (errors.AgentNotRunning("a", "stopped"), Reason.AGENT_STOPPED),
    (errors.AgentNotRunning("a", "draining"), Reason.AGENT_STOPPED),
    (errors.RoutingError(), Reason.AGENT_NOT_RESPONDING),
    (errors.ShardUnavailable(1, "failed"), Reason.AGENT_NOT_RESPONDING),
    (errors.QueueFull("a", 1, 1), Reason.QUEUE_FULL),
    (errors.MessageExpired("a", 1.0), Reason.EXPIRED),
    (errors.SessionNotFound("s"), Reason.SESSION_ENDED),
    (errors.CircuitBreakerOpen("a", 1.0), Reason.CIRCUIT_BREAKER_OPEN),
    (errors.MessageTooLarge.of(2, 1), Reason.MESSAGE_TOO_LARGE),
    (errors.ValidationError("a", "b"), Reason.INVALID_MESSAGE),
    (errors.InvalidMessageFormat("a", "b"), Reason.INVALID_MESSAGE),
    (errors.SecurityError("a"), Reason.INVALID_MESSAGE),
    (errors.Unsupported("broadcast", "name each"), Reason.INVALID_MESSAGE),
    (errors.Timeout("a", 1.0), Reason.TIMEOUT),
    (errors.NetworkError("a", "b"), Reason.NETWORK_ERROR),
    (errors.StorageError("a", "b"), Reason.RESOURCE_EXHAUSTED),
    (errors.ResourceExhausted("a", 1), Reason.RESOURCE_EXHAUSTED),
    (errors.WasmExecutionFailed("a", "b", "c"), Reason.RETRY_LIMIT),
    (errors.ResourceLimitExceeded("a", "b", 1, "c"), Reason.RETRY_LIMIT),
    (errors.AgentError("a", -1), Reason.RETRY_LIMIT),
]


@pytest.mark.parametrize(
    ("error", "reason"), EXAMPLES, ids=lambda each: str(getattr(each, "value", type(each).__name__))
)
def test_an_error_stands_for_one_reason(error, reason):
    """Its kind's, or that of the kind above it."""
    assert reason_of(error) is reason


@pytest.mark.parametrize("kind", sorted(BY_NAME.values(), key=lambda kind: kind.__name__))
def test_every_error_stands_for_some_reason(kind):
    """Whatever becomes an error, no message dies without a word."""
    error = kind.__new__(kind)
    error.state = "stopped"
    assert reason_of(error) in Reason


def test_what_no_version_knows_is_an_invalid_message():
    """An error that another version sent."""
    assert reason_of(from_fields("NoSuchError", {})) is Reason.INVALID_MESSAGE


def test_the_reasons_are_the_words_that_are_kept_and_listed():
    """They stand in files, filters and statistics: none may change."""
    assert {reason.value for reason in Reason} == {
        "agent_not_found",
        "agent_not_responding",
        "agent_removed",
        "agent_stopped",
        "circuit_breaker_open",
        "deadlock",
        "expired",
        "hop_limit",
        "invalid_message",
        "message_too_large",
        "network_error",
        "poison",
        "queue_full",
        "resource_exhausted",
        "retry_limit",
        "session_ended",
        "timeout",
        "work_limit",
        "no_capable_agents",
        "unresolved",
    }
