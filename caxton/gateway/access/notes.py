"""What the audit is told of who comes: what was denied, who signed in. Folded, so that no flood of it is one there.

The first of a kind is told at once, and what is like it after a minute, with how often. There is room for so many
kinds, of whoever has no token and of whoever has one apart. Pure: time comes in.
"""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from caxton.errors import AccessDenied, AccessError, FailedTooOften, TokenMissing, TokenRefused
from caxton.printable import one_line
from caxton.wire.audit import ADDRESS, AccessNote, Action

# What is like something that was told is told again after so long, in seconds.
FOLD_S = 60.0
# Kinds in one minute: of all who have no token, of all tokens, and of one of these. What is beyond is one kind.
MOST_STRANGERS, MOST_OF_TOKENS, MOST_OF_TOKEN = 64, 256, 16
OTHER_ADDRESSES, OTHER_TOKENS, VARIOUS = f"{ADDRESS}others", "token:others", "various"
_MOST_TEXT = 200


class _Kind(NamedTuple):
    action: Action
    principal: str
    subject: str
    outcome: str


@dataclass
class _Folded:
    """One kind: how often it came since it was told, when the first of these did, and what was asked for then."""

    at_ms: int
    subject: str
    count: int = 0
    told_s: float | None = None


class AccessNotes:
    """Owned by the gateway, which calls `take` each second, and tells the supervisor what that returns."""

    def __init__(self) -> None:
        self._kinds: dict[_Kind, _Folded] = {}
        # How many of these are of a principal; those of all addresses are counted under one.
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._kinds)

    def denied(self, principal: str, subject: str, error: AccessError | str, at_ms: int, name: str = "") -> None:
        """Note that somebody was refused something. name: of the token, for people."""
        why = error if isinstance(error, str) else _why(error)
        self.note("deny", principal, subject, f"{why}; the token {name}" if name else why, at_ms)

    def note(self, action: Action, principal: str, subject: str, outcome: str, at_ms: int) -> None:
        """Note something that a principal did, or an address. at_ms: since 1970."""
        subject = one_line(subject, _MOST_TEXT)
        kind = _Kind(action, principal, "" if _is_address(principal) else subject, one_line(outcome, _MOST_TEXT))
        if kind not in self._kinds:
            kind = self._with_room(kind)
        folded = self._kinds.get(kind)
        if folded is None:
            folded = self._kinds[kind] = _Folded(at_ms, subject)
            self._of[_whose(kind)] += 1
        if not folded.count:
            folded.at_ms, folded.subject = at_ms, subject
        elif folded.subject != subject:
            folded.subject = VARIOUS
        folded.count += 1

    def take(self, now_s: float) -> list[AccessNote]:
        """Return what is to be told now, and forget what was told a while ago; now_s: of a clock that only goes on."""
        found = []
        for kind, folded in [*self._kinds.items()]:
            if folded.told_s is not None and now_s - folded.told_s < FOLD_S:
                continue
            if folded.count:
                often = f"; {folded.count:,} times" if folded.count > 1 else ""
                told = f"{kind.outcome}{often}"
                found.append(AccessNote(folded.at_ms, kind.action, kind.principal, folded.subject, told))
                folded.count, folded.told_s = 0, now_s
            else:
                self._forget(kind)
        return found

    def _with_room(self, kind: _Kind) -> _Kind:
        """Return this kind, or the one that stands for what there is no room for."""
        if _is_address(kind.principal):
            return (
                kind
                if self._of[ADDRESS] < MOST_STRANGERS
                else kind._replace(principal=OTHER_ADDRESSES, outcome=VARIOUS)
            )
        of_tokens = len(self._kinds) - self._of[ADDRESS]
        if of_tokens >= MOST_OF_TOKENS:
            return kind._replace(principal=OTHER_TOKENS, subject=VARIOUS, outcome=VARIOUS)
        return kind if self._of[kind.principal] < MOST_OF_TOKEN else kind._replace(subject=VARIOUS, outcome=VARIOUS)

    def _forget(self, kind: _Kind) -> None:
        del self._kinds[kind]
        whose = _whose(kind)
        self._of[whose] -= 1
        if not self._of[whose]:
            del self._of[whose]


def _why(error: AccessError) -> str:
    match error:
        case TokenMissing():
            return "no token"
        case TokenRefused():
            return f"the token is {error.why}"
        case FailedTooOften():
            return "too many tokens were refused"
        case AccessDenied(missing, needed, _, agent):
            if missing == "role":
                return f"it takes the role {needed}"
            return "it is about all agents" if agent is None else f"it is about the agent {agent}"
        case _:
            return type(error).__name__


def _whose(kind: _Kind) -> str:
    return ADDRESS if _is_address(kind.principal) else kind.principal


def _is_address(principal: str) -> bool:
    return principal.startswith(ADDRESS)
