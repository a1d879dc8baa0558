"""What a splitter answers when it is asked what it has done (its format: caxton/guests/splitter.c)."""

import struct
from dataclasses import dataclass
from typing import Self

from caxton.errors import InvalidMessageFormat

QUESTION = b"\ntotals"
_HEAD = struct.Struct("<4sQQQQ")
_MAGIC = b"SPL1"


@dataclass(frozen=True)
class Totals:
    """One splitter's: turns that split, texts it came to the end of, words it sent, and what came to nothing.

    first_failure: the content of the first `failure`, empty when there was none.
    """

    turns: int
    texts: int
    words: int
    failures: int
    first_failure: bytes = b""

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a splitter's answer; raises InvalidMessageFormat for anything that no splitter says."""
        if len(content) < _HEAD.size or not content.startswith(_MAGIC):
            raise InvalidMessageFormat("totals", f"{content[:40]!r} is not what a splitter answers")
        _, turns, texts, words, failures = _HEAD.unpack_from(content)
        first_failure = content[_HEAD.size :]
        if texts > turns or (first_failure and not failures):
            problem = f"{turns} turns, {texts} texts, {failures} failures and {len(first_failure)} bytes do not fit"
            raise InvalidMessageFormat("totals", problem)
        return cls(turns, texts, words, failures, first_failure)
