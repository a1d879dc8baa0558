"""One pass as a value: what was taken, what follows from it, what is left. `release` makes it true."""

from collections import Counter
from typing import NamedTuple

from caxton.acl.envelope import Envelope
from caxton.delivery.latency import BUCKETS, LATENCIES

MAX_TURNS = 4_096
NS_PER_MS = 1_000_000
MAX_PASS_NS = 5 * NS_PER_MS
# For how long turns run while others wait, before it is looked who else has come; and for how long at most when there
# is an answer for one who needs few turns.
SLICE_NS = NS_PER_MS // 4
HURRY_NS = NS_PER_MS // 5
# When a message expires that does not wait, or not by the monotonic clock: beyond any time of it.
NEVER = 1 << 62
# The histograms in a worker's book, with their buckets; its counters are those of `caxton.wire.counters`.
HISTOGRAMS = dict.fromkeys(LATENCIES, BUCKETS)


# What a sampled turn leaves: the context and the span of its message's turn; the agent's id and name; the message's id,
# conversation, sender, performative, size, flags and when it was sent (ms since 1970); whether a program had the turn;
# when it was placed, began and ended (monotonic ns); and the outcome, as `caxton.wire.spans` says. A plain tuple costs
# a fifth of one with names.
TurnLeft = tuple[str, int, int, str, bytes, bytes | None, int, int, int, int, int, bool, int, int, int, str]


class SpawnLeft(NamedTuple):
    """What it leaves that an agent had its instance made, in a turn that is sampled: in whose context, and when."""

    context: str
    span: int
    agent_id: int
    name: str
    began_ns: int
    ended_ns: int


class Pass:
    """What one pass took and caused.

    now_ns: when it began (monotonic). wall_ms: the same, since 1970. taken: the last sequence by source. emitted:
    messages by target peer. tell: peers that are to get a link state. unfinished: turns are left for the next pass.
    hurried: somebody outside waits for what follows from a turn of an agent that needs few of them.
    context: the trace context of what the turn under way sends: None while it belongs to no trace, "" where that is not
    sampled. spans: what turns that are sampled left.
    origin: whose root the turn under way follows from, 0 when it is a root's own. origins: what turns sent that follow
    from others' roots, by turn.
    held_back: of the turns, how many were none, because the message waits behind another that waits for its retry.
    counts: what happened, under the names of `caxton.wire.counters`. latencies: what was measured: the histogram, the
    time in ns, and for how many it counts.
    """

    __slots__ = (
        "context",
        "counts",
        "emitted",
        "held_back",
        "hurried",
        "latencies",
        "now_ns",
        "origin",
        "origins",
        "spans",
        "taken",
        "tell",
        "turns",
        "unfinished",
        "wall_ms",
    )

    def __init__(self, now_ns: int, wall_ms: int) -> None:
        self.now_ns = now_ns
        self.wall_ms = wall_ms
        self.turns = 0
        self.held_back = 0
        self.origin = 0
        self.origins: list[tuple[int, list[Envelope]]] = []
        self.taken: dict[int, int] = {}
        self.emitted: dict[int, list[Envelope]] = {}
        self.tell: set[int] = set()
        self.unfinished = self.hurried = False
        self.counts: Counter[str] = Counter()
        self.latencies: list[tuple[str, int, int]] = []
        self.context: str | None = None
        self.spans: list[TurnLeft | SpawnLeft] = []

    @property
    def taken_messages(self) -> int:
        """How many messages it has taken from clients and other workers."""
        return self.counts["taken_from_sessions"] + self.counts["taken_from_workers"]
