"""What a counter answers when it is asked for its most frequent words (its format: caxton/guests/counter.c)."""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Self, TypeVar

from caxton.errors import InvalidMessageFormat

_MAGIC = b"TOP1"
_HEAD = struct.Struct("<4sQQI")
_ENTRY = struct.Struct("<QI")

Entry = tuple[bytes, int]


def question(top: int) -> bytes:
    """Return the content that asks a counter for its `top` most frequent words, at most 10,000."""
    return b"\ntop %d" % top


def rank(entry: Entry) -> tuple[int, bytes]:
    """Sort key of a word and its count: the most frequent first, then by bytes."""
    word, count = entry
    return -count, word


@dataclass(frozen=True)
class Report:
    """One counter's: its words in all, how many of them differ, and the most frequent ones in the order of `rank`."""

    total: int
    distinct: int
    top: tuple[Entry, ...]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a counter's answer; raises InvalidMessageFormat for anything that no counter says."""
        if len(content) < _HEAD.size or not content.startswith(_MAGIC):
            raise InvalidMessageFormat("report", f"{content[:40]!r} is not what a counter answers")
        _, total, distinct, entries = _HEAD.unpack_from(content)
        top: list[Entry] = []
        at = _HEAD.size
        for _ in range(entries):
            if at + _ENTRY.size > len(content):
                raise InvalidMessageFormat("report", f"ends after {len(top)} of {entries} words")
            count, length = _ENTRY.unpack_from(content, at)
            at += _ENTRY.size
            top.append((content[at : at + length], count))
            at += length
        if at != len(content):
            raise InvalidMessageFormat("report", f"its words end at byte {at} of {len(content)}")
        return _checked(cls(total, distinct, tuple(top)))


_AnyReport = TypeVar("_AnyReport", bound=Report)


def _checked(report: _AnyReport) -> _AnyReport:
    """Return the report if its numbers fit together."""
    if any(rank(one) >= rank(after) for one, after in pairwise(report.top)):
        raise InvalidMessageFormat("report", "its words are out of order")
    counted = sum(count for _, count in report.top)
    if report.distinct < len(report.top) or report.total < max(report.distinct, counted):
        raise InvalidMessageFormat("report", f"{report.total} words, {report.distinct} distinct, do not fit its list")
    return report
