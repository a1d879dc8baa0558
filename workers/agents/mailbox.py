"""What waits for one agent: a queue per level, bounded, with a mark where its feeders are told to slow down."""

from collections import deque

from caxton.acl.envelope import Envelope
from caxton.acl.options import LEVELS
from workers.agents.delivery import Delivery

# The message; its root, the source and sequence that entered the pass; when it expires, in monotonic nanoseconds; and
# on the durable lane its delivery, which names the root anew once the file has it.
Entry = tuple[Envelope, int, int, int, Delivery | None]
# Full at three quarters, room again at a half (design 3): the quarter above is for what is already under way.
FULL_AT, ROOM_AT = 0.75, 0.5
# What agents may place beyond the capacity: frames of other workers that left before they could know, answers, and
# what an agent tells itself. One link carries at most this many messages unacknowledged.
OVERSHOOT = 8_192
NORMAL = 1
# A level's number on the wire to its queue: what lies between two levels counts as the lower one.
QUEUE_OF_LEVEL = tuple(max(0, sum(level <= n for level in LEVELS) - 1) for n in range(max(LEVELS) + 1))


class Queue(deque[Entry]):
    """What waits on one level; in_line tells whether the agent stands in the dispatcher's line of that level."""

    __slots__ = ("in_line",)

    def __init__(self) -> None:
        super().__init__()
        self.in_line = False


class Mailbox:
    """Made at an agent's first message, so that a registered agent costs nothing of the kind.

    depth: what waits on all levels. normal: the queue that most messages go through. fed_by: while it is full, the
    peers that fed it and are told when there is room, 0 for agents of this shard.
    """

    __slots__ = ("_others", "capacity", "depth", "fed_by", "hard", "high", "low", "normal")

    def __init__(self, capacity: int) -> None:
        self.depth = 0
        self.normal = Queue()
        self._others: dict[int, Queue] | None = None
        self.capacity = capacity
        self.high = max(1, int(capacity * FULL_AT))
        self.low = int(capacity * ROOM_AT)
        self.hard = capacity + OVERSHOOT
        self.fed_by: set[int] | None = None

    def queue(self, level: int) -> Queue:
        """Return the queue of a level, 0 (low) to 3 (critical)."""
        if level == NORMAL:
            return self.normal
        if self._others is None:
            self._others = {}
        return self._others.get(level) or self._others.setdefault(level, Queue())

    def queues(self) -> list[tuple[int, Queue]]:
        """Return each level that was ever used with its queue, highest first."""
        return sorted([(NORMAL, self.normal), *(self._others or {}).items()], reverse=True)

    def empty(self) -> list[Entry]:
        """Take everything out, highest level first."""
        entries = [entry for _, queue in self.queues() for entry in queue]
        for _, queue in self.queues():
            queue.clear()
        self.depth = 0
        return entries
