"""What a port of the gateway did, has and refused since it started: plain numbers, gone with it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counts:
    """answered: requests by status. refused: by the limit or the check that refused them, before anything was done.

    unasked: messages to callers that no request of theirs waits for. cut_off: connections that the gateway ended, by
    why. hung_up: requests, streams aside, whose callers hung up before they were answered. under_way, streams,
    body_bytes, answer_bytes, connections: now; open_under_way: of those under way what needs no token.
    """

    answered: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cut_off: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    open_under_way: int = 0
    unasked: int = 0
    hung_up: int = 0
    streams: int = 0
    body_bytes: int = 0
    answer_bytes: int = 0
    connections: int = 0
