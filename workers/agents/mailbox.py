"""What waits for one agent: a queue per level, bounded, with a mark where clients are told to slow down."""

from collections import deque
from collections.abc import Callable
from operator import itemgetter

from caxton.acl.envelope import Envelope
from caxton.acl.options import LEVELS
from caxton.ids import SESSION_BIT
from workers.agents.delivery import Delivery
from workers.worker_pass import NS_PER_MS

# The message; its root, the source and sequence that entered the pass; when it expires, in monotonic nanoseconds; on
# the durable lane its delivery, which names the root anew once the file has it; and of an effect its origin, the agent
# that the root was for, 0 of a root.
Entry = tuple[Envelope, int, int, int, Delivery | None, int]
# Full at three quarters, room again at a half (design 3): the quarter above is for what is already under way.
FULL_AT, ROOM_AT = 0.75, 0.5
# How far what waits may go beyond the capacity by what agents sent, on each lane.
OVERSHOOT, STORED_OVERSHOOT = 16_384, 49_152
# A message weighs 1, and 1 more for each whole KiB of its contents: so one bound holds for number and bytes alike.
WEIGHT_SHIFT = 10
NORMAL = 1
# How many entries of a line are looked at and left, when some are drawn.
LOOK_AHEAD = 1_024
# What contents of clients' messages one mailbox holds, in bytes: a quarter of what all of a shard do. Full at a half of
# it, since what two windows have under way comes on top; room again at a quarter.
MOST_ROOT_BYTES = 64 << 20
FULL_ROOT_BYTES, ROOM_ROOT_BYTES = MOST_ROOT_BYTES // 2, MOST_ROOT_BYTES // 4
# A level's number on the wire to its queue: what lies between two levels counts as the lower one.
QUEUE_OF_LEVEL = tuple(max(0, sum(level <= n for level in LEVELS) - 1) for n in range(max(LEVELS) + 1))


def weight(size: int) -> int:
    """Return what a message weighs whose contents have `size` bytes."""
    return 1 + (size >> WEIGHT_SHIFT)


class Queue:
    """What waits on one level. Effects go before roots; between the two of a pair there is no order to keep.

    effects: what agents sent, None before the first. roots: what clients sent. in_line: whether the agent stands in
    the dispatcher's line of that level.
    """

    __slots__ = ("effects", "in_line", "roots")

    def __init__(self) -> None:
        self.effects: deque[Entry] | None = None
        self.roots: deque[Entry] = deque()
        self.in_line = False

    def of(self, message: Envelope) -> deque[Entry]:
        """Return where a message waits: it is its sender who makes it a root or an effect."""
        if message.sender >= SESSION_BIT:
            return self.roots
        if self.effects is None:
            self.effects = deque()
        return self.effects

    @property
    def lines(self) -> tuple[deque[Entry], ...]:
        """Both, in the order of their turns."""
        return (self.effects, self.roots) if self.effects else (self.roots,)

    def __bool__(self) -> bool:
        return bool(self.effects or self.roots)


class Mailbox:
    """Made at an agent's first message, so that a registered agent costs nothing of the kind.

    depth: what waits on all levels, also on disk. effects: how many effects are in memory, weight: what these weigh;
    away: how many more wait on disk. root_bytes: what contents of clients' messages have that wait in memory. held:
    effects are not counted among those in line, because the agent has no turns here now. normal: the queue that most
    messages go through. fed_by: while it is full, the sessions that fed it and are told when there is room. had: turns
    in the round that its agent was visited last.
    """

    __slots__ = (
        "_others",
        "away",
        "capacity",
        "depth",
        "effects",
        "fed_by",
        "had",
        "hard",
        "held",
        "high",
        "low",
        "normal",
        "root_bytes",
        "round",
        "weight",
    )

    def __init__(self, capacity: int) -> None:
        self.depth = self.effects = self.weight = self.away = self.root_bytes = 0
        self.held = False
        self.round = self.had = 0
        self.normal = Queue()
        self._others: dict[int, Queue] | None = None
        self.capacity = capacity
        self.high = max(1, int(capacity * FULL_AT))
        self.low = int(capacity * ROOM_AT)
        self.hard = capacity + STORED_OVERSHOOT
        self.fed_by: set[int] | None = None

    def queue(self, level: int) -> Queue:
        """Return the queue of a level, 0 (low) to 3 (critical)."""
        if level == NORMAL:
            return self.normal
        if self._others is None:
            self._others = {}
        queue = self._others.get(level)
        if queue is None:
            queue = self._others[level] = Queue()
        return queue

    def queues(self) -> list[tuple[int, Queue]]:
        """Return each level that was ever used with its queue, highest first."""
        return sorted([(NORMAL, self.normal), *(self._others or {}).items()], key=itemgetter(0), reverse=True)

    @property
    def has_room(self) -> bool:
        """Whether so little waits that clients who were told to slow down may go on."""
        return self.depth <= self.low and self.root_bytes <= ROOM_ROOT_BYTES

    def line(self, level: int, *, effects: bool) -> deque[Entry]:
        """Return what waits in memory on a level, of one kind."""
        queue = self.queue(level)
        return (queue.effects or deque()) if effects else queue.roots

    def oldest_ns(self) -> int | None:
        """Return since when (monotonic) the message waits in memory that has waited longest, None when none does."""
        return min((_since_ns(line[0]) for line in self.lines() if line), default=None)

    def lines(self) -> list[deque[Entry]]:
        """Return all that waits, in the order of turns: highest level first, and effects before roots."""
        return [line for _, queue in self.queues() for line in queue.lines]


def _since_ns(entry: Entry) -> int:
    return entry[3] - entry[0].timeout_ms * NS_PER_MS if entry[4] is None else entry[4].since_ns


def entry_of(delivery: Delivery) -> Entry:
    """Return a delivery as a mailbox holds it."""
    message = delivery.message
    return message, delivery.source, delivery.sequence, delivery.expires_ns, delivery, delivery.origin


def draw_from(
    line: deque[Entry], until: int, most_bytes: int, admits: Callable[[Envelope], bool], drawn: list[Entry]
) -> int:
    """Move entries that are admitted until so many are drawn; the first of all may be of any size. Returns theirs."""
    passed: list[Entry] = []
    size = 0
    while line and len(drawn) < until and len(passed) < LOOK_AHEAD:
        length = len(line[0][0].content)
        if drawn and size + length > most_bytes:
            break
        entry = line.popleft()
        if admits(entry[0]):
            size += length
            drawn.append(entry)
        else:
            passed.append(entry)
    line.extendleft(reversed(passed))
    return size
