"""What the steps of a migration ask of Python: seals of rows, in SQL. They write as their step's version did, for ever.

An error in one of them is kept, since SQLite only says that there was one.
"""

import secrets
import sqlite3
import struct
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import msgspec

from caxton.store.seal import BrokenSeal, number_of, seal, unseal

P = ParamSpec("P")
T = TypeVar("T")


class StepFunctions:
    """The functions, in one connection. Call `check` when a statement with one of them has failed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._error: Exception | None = None
        for name, arguments, function in (
            ("sealed", -1, seal),
            ("unsealed", -1, unseal),
            ("number_of", -1, _number_of),
            ("manifest_of", 2, _manifest_of),
            ("new_file_id", 0, lambda: secrets.randbits(63) or 1),
        ):
            db.create_function(name, arguments, self._kept(function))

    def check(self) -> None:
        """Raise the error that one of the functions ended with, if one did: a BrokenSeal."""
        if self._error is not None:
            raise BrokenSeal(f"a row that cannot be brought to this version: {self._error}") from self._error

    def _kept(self, function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def called(*arguments: P.args, **options: P.kwargs) -> T:
            try:
                return function(*arguments, **options)
            except (ValueError, TypeError, AttributeError, KeyError, struct.error, msgspec.MsgspecError) as error:
                self._error = error
                raise

        return called


@lru_cache(maxsize=1_000)  # agents mostly share their limits
def _manifest_of(encoding: str, limits: str) -> str:
    """Return the manifest of version 4 for the columns of version 3, where escalation stood among the limits."""
    found = msgspec.json.decode(limits, type=dict[str, object])
    escalation = {name: found.pop(name) for name in ("escalate_to",) if name in found}
    return msgspec.json.encode({"encoding": encoding, "limits": found, **escalation}).decode()


def _number_of(*texts: str | bytes) -> int:
    return number_of(*(text.encode() if isinstance(text, str) else text for text in texts))
