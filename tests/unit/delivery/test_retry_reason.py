"""Why an attempt failed, by the error that it ended with."""

import pytest

from caxton import errors
from caxton.delivery.retry_reason import RetryReason, retry_reason_of

EXAMPLES = [
    (errors.WasmExecutionFailed("a", "unreachable", "x"), RetryReason.AGENT_FAILED),
    (errors.WasmExecutionFailed("a", "module_missing", "x"), RetryReason.AGENT_UNAVAILABLE),
    (errors.ResourceLimitExceeded("a", "max_execution_ms", 1, "x"), RetryReason.TIMEOUT),
    (errors.ResourceLimitExceeded("a", "max_memory_bytes", 1, "x"), RetryReason.RESOURCE_EXHAUSTED),
    (errors.ResourceExhausted("sandboxes", 1), RetryReason.RESOURCE_EXHAUSTED),
    (errors.HandlerFailed("a", "ValueError", "x"), RetryReason.AGENT_FAILED),
    (errors.HandlerFailed("a", "TimeoutError", "x"), RetryReason.TIMEOUT),
    (errors.HandlerFailed("a", "Timeout", "x"), RetryReason.TIMEOUT),
    (errors.HandlerFailed("a", "ConnectionRefusedError", "x"), RetryReason.NETWORK_ERROR),
    (errors.HandlerFailed("a", "NetworkError", "x"), RetryReason.NETWORK_ERROR),
    (errors.HandlerFailed("a", "QueueFull", "x"), RetryReason.QUEUE_FULL),
    (errors.HandlerFailed("a", "AgentNotRunning", "x"), RetryReason.AGENT_UNAVAILABLE),
    (errors.HandlerFailed("a", "MemoryError", "x"), RetryReason.RESOURCE_EXHAUSTED),
]


@pytest.mark.parametrize(("error", "reason"), EXAMPLES, ids=lambda each: str(each)[:40])
def test_an_attempt_failed_for_one_reason(error, reason):
    """Of what a handler raised its kind counts, by name."""
    assert retry_reason_of(error) is reason


def test_the_reasons_are_the_words_that_are_kept():
    """They stand in files: none may change."""
    assert {reason.value for reason in RetryReason} == {
        "agent_failed",
        "agent_unavailable",
        "network_error",
        "queue_full",
        "resource_exhausted",
        "timeout",
    }
