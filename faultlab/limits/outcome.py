"""How a test ended that was run without its limit, in a word: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Word = Literal["caught", "missed", "unclear", "no test", "not used"]

# What says by name that the limit is missing: what the test asserts did not hold, or an error of ours came or did not.
_BY_NAME = {"builtins.AssertionError", "builtins.Failed", "caxton.errors.root.CaxtonError"}
# What waited in vain has noticed nothing: an error of its class, or pytest-timeout's, which begins its text so.
_IN_VAIN, _TIMEOUT = "builtins.TimeoutError", "Timeout"
_SHOWN = 100


@dataclass(frozen=True)
class Seen:
    """One step of one test. kinds: the classes of the error that ended it, the nearest first; "" when it went well."""

    test: str
    step: str
    kinds: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What came of a limit that is off. how: of what was caught the failure; of the others what to look at."""

    word: Word
    how: str


def outcome(seen: Sequence[Seen], exit_code: int) -> Outcome:
    """Judge a run: a test that fails because time or memory is at its end has noticed nothing, and is `unclear`."""
    failures = [one for one in seen if one.kinds]
    if not seen:
        return Outcome("unclear" if exit_code else "no test", f"exit code {exit_code} before the test began")
    for one in failures:
        if one.step == "call" and _is_by_name(one):
            return Outcome("caught", _how(one))
    if failures:
        return Outcome("unclear", _how(failures[0]))
    if exit_code:
        return Outcome("unclear", f"exit code {exit_code}")
    return Outcome("missed", "")


def _is_by_name(one: Seen) -> bool:
    kinds = set(one.kinds.split())
    return bool(kinds & _BY_NAME) and _IN_VAIN not in kinds and not one.text.startswith(_TIMEOUT)


def _how(one: Seen) -> str:
    said = one.text.strip().partition("\n")[0]
    return f"{one.kinds.split()[0].rpartition('.')[2]}: {said}"[:_SHOWN]
