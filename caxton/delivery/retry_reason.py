"""Why an attempt at a message failed: what a retry may mend."""

from enum import StrEnum

from caxton.errors import (
    BY_NAME,
    CaxtonError,
    HandlerFailed,
    NetworkError,
    QueueFull,
    ResourceExhausted,
    ResourceLimitExceeded,
    RoutingError,
    StorageError,
    Timeout,
    WasmExecutionFailed,
)


class RetryReason(StrEnum):
    """The words stand in files: none may change."""

    NETWORK_ERROR = "network_error"
    QUEUE_FULL = "queue_full"
    AGENT_UNAVAILABLE = "agent_unavailable"  # its module is gone, or its worker died
    RESOURCE_EXHAUSTED = "resource_exhausted"
    TIMEOUT = "timeout"
    AGENT_FAILED = "agent_failed"  # a trap, or the like: nothing outside the agent was at fault


_REASONS: tuple[tuple[type[CaxtonError], RetryReason], ...] = (
    (Timeout, RetryReason.TIMEOUT),
    (NetworkError, RetryReason.NETWORK_ERROR),
    (QueueFull, RetryReason.QUEUE_FULL),
    (RoutingError, RetryReason.AGENT_UNAVAILABLE),  # and every other kind of it
    (ResourceLimitExceeded, RetryReason.RESOURCE_EXHAUSTED),
    (ResourceExhausted, RetryReason.RESOURCE_EXHAUSTED),
    (StorageError, RetryReason.RESOURCE_EXHAUSTED),
)
# What a handler in Python raises that is no error of ours.
_PYTHONS = {
    "TimeoutError": RetryReason.TIMEOUT,
    "ConnectionError": RetryReason.NETWORK_ERROR,
    "ConnectionAbortedError": RetryReason.NETWORK_ERROR,
    "ConnectionRefusedError": RetryReason.NETWORK_ERROR,
    "ConnectionResetError": RetryReason.NETWORK_ERROR,
    "BrokenPipeError": RetryReason.NETWORK_ERROR,
    "MemoryError": RetryReason.RESOURCE_EXHAUSTED,
}
_OUT_OF_TIME = "max_execution_ms"
_UNAVAILABLE = {"module_missing", "crash"}


def retry_reason_of(error: CaxtonError) -> RetryReason:
    """Return why the attempt that ended with this error failed. Of a handler's error its kind counts, by name."""
    if isinstance(error, HandlerFailed):
        kind = BY_NAME.get(error.exception)
        return _PYTHONS.get(error.exception, RetryReason.AGENT_FAILED) if kind is None else _of_kind(kind)
    if isinstance(error, ResourceLimitExceeded) and error.resource == _OUT_OF_TIME:
        return RetryReason.TIMEOUT
    if isinstance(error, WasmExecutionFailed) and error.reason in _UNAVAILABLE:
        return RetryReason.AGENT_UNAVAILABLE
    return _of_kind(type(error))


def _of_kind(kind: type[CaxtonError]) -> RetryReason:
    return next((reason for found, reason in _REASONS if issubclass(kind, found)), RetryReason.AGENT_FAILED)
