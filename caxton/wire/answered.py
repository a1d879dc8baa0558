"""What came of a question, looked at once: the answer that was asked for, or the error in its place."""

from typing import TypeVar

from caxton.errors import NetworkError, from_fields
from caxton.wire.calls import Failed

A = TypeVar("A")


def answered(result: object, kind: type[A], who: str) -> A:
    """Return the answer, if it is of this kind. Raises the error that was answered, NetworkError for anything else."""
    if isinstance(result, kind):
        return result
    if isinstance(result, Failed):
        raise from_fields(result.error, result.fields)
    raise NetworkError(who, f"it answered {type(result).__name__} and was asked for {kind.__name__}")
