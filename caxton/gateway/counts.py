"""What a port of the gateway did, has and refused since it started: plain numbers, gone with it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counts:
    """answered: requests by status. refused: by the limit or the check that refused them, before anything was done.

    unasked: messages to callers that no request of theirs waits for. cut_off: connections that the gateway ended, by
    why. hung_up: requests, streams aside, whose callers hung up before they were answered. under_way, streams,
    body_bytes, answer_bytes, connections: now; open_under_way: of those under way what needs no token. full: the bounds
    that refused more since somebody looked at them last, and whose each is, "" for everybody's; with how much may be.
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
    full: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Those under way that need a token, streams aside."""
        return self.under_way - self.open_under_way - self.streams

    def refuse(self, reason: str, bound: str, most: int, whose: str = "") -> None:
        """Count what is refused because a bound is reached."""
        self.refused[reason] += 1
        self.full[bound, whose] = most
