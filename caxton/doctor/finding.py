"""What a look at the machine finds: each thing with a verdict, and what to change."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """ok; suggestion: it serves, and would serve better; problem: it must be changed."""

    OK = "ok"
    SUGGESTION = "suggestion"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """name: of what was looked at. found: what is so. advice: what to change, "" where nothing is to be."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Finding:
    """Return that nothing is to be changed."""
    return Finding(name, Verdict.OK, found)


def suggestion(name: str, found: str, change: str) -> Finding:
    """Return what would serve better."""
    return Finding(name, Verdict.SUGGESTION, found, change)


def problem(name: str, found: str, change: str) -> Finding:
    """Return what must be changed."""
    return Finding(name, Verdict.PROBLEM, found, change)
