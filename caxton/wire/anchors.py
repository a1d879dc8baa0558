"""Anchors: the heads of chains as a row of another chain has them, so that none of them can be written anew unseen."""

import re
from collections.abc import Iterable

from caxton.wire.audit import AuditHead

ANCHOR = "anchor"
# In one row: the chains of as many shards as there may be, and the supervisor's own.
MOST_HEADS = 64
_FORM = re.compile(r"([0-9a-f]{16}):([0-9]{1,19}):([0-9]{1,19}):([0-9a-f]{64})", re.ASCII)


def anchors_text(heads: Iterable[AuditHead]) -> str:
    """Return what a row says of heads: the chain, the first and the last number, and the hash of that row, of each."""
    return " ".join(f"{head.chain:016x}:{head.first}:{head.last}:{head.hash.hex()}" for head in heads)


def anchors_in(text: str) -> list[AuditHead]:
    """Return the heads that a row tells; raises ValueError for what is none."""
    found = [_FORM.fullmatch(word) for word in text.split(" ")]
    return [AuditHead(int(one[1], 16), int(one[2]), int(one[3]), bytes.fromhex(one[4])) for one in map(_there, found)]


def _there(found: "re.Match[str] | None") -> "re.Match[str]":
    if found is None:
        raise ValueError("no head of a chain")
    return found
