"""Effects for other shards that wait: for credit, or for a worker to be there. Their senders go on."""

from collections import deque
from collections.abc import Callable

from caxton.acl.envelope import AUTOMATIC, Envelope
from workers.agents.mailbox import weight
from workers.queues.accounts import charge
from workers.queues.dispatcher import Dispatcher
from workers.worker_pass import NS_PER_MS, Pass


class Backlogs:
    """By shard, in order, each bounded. messages: how many wait in all."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        # With the monotonic nanoseconds of when each expires, and its origin.
        self._waiting: dict[int, deque[tuple[Envelope, int, int]]] = {}
        self._weights: dict[int, int] = {}
        # What was taken since the last `released`: some of it may come back.
        self._taken: list[tuple[Envelope, int, int]] = []
        self.messages = 0

    def __contains__(self, shard: int) -> bool:
        return shard in self._waiting

    def weight(self, shard: int) -> int:
        """Return what weighs all that waits for a shard."""
        return self._weights.get(shard, 0)

    def add(self, shard: int, message: Envelope, now_ns: int, origin: int) -> None:
        """Let a message wait behind the others."""
        self._of(shard).append((message, now_ns + message.timeout_ms * NS_PER_MS, origin))
        self._came(shard, message, origin)

    def put_back(self, shard: int, messages: list[Envelope], a_pass: Pass) -> None:
        """Let messages wait in front of the others, in their order: they were to go with this pass, without credit.

        What has waited before keeps its deadline and its origin, and what has not has those of its turn.
        """
        waiting, known = self._of(shard), {id(entry[0]): entry for entry in self._taken}
        origins = {id(message): origin for origin, sent in a_pass.origins for message in sent}
        for message in reversed(messages):
            entry = known.get(id(message))
            if entry is None:
                origin = origins.get(id(message)) or origin_of(message, a_pass)
                entry = message, a_pass.now_ns + message.timeout_ms * NS_PER_MS, origin
            waiting.appendleft(entry)
            self._came(shard, message, entry[2])

    def released(self) -> None:
        """What was taken has gone, or was put back."""
        self._taken.clear()

    def take(self, shard: int, most: int, fits: Callable[[int], bool]) -> list[Envelope]:
        """Return, and no longer hold, the first of what waits for a shard: so many at most, and bytes that fit."""
        waiting = self._waiting.get(shard, deque())
        taken: list[tuple[Envelope, int, int]] = []
        size = 0
        while waiting and len(taken) < most:
            size += len(waiting[0][0].content)
            if not fits(size):
                break
            taken.append(waiting.popleft())
        self._taken += taken
        return self._went(shard, taken)

    def expired(self, now_ns: int) -> list[Envelope]:
        """Return, and no longer hold, what waited too long in front."""
        late: list[Envelope] = []
        for shard, waiting in list(self._waiting.items()):
            some = []
            while waiting and waiting[0][1] <= now_ns:
                some.append(waiting.popleft())
            late += self._went(shard, some)
        return late

    def _of(self, shard: int) -> deque[tuple[Envelope, int, int]]:
        return self._waiting.setdefault(shard, deque())

    def _came(self, shard: int, message: Envelope, origin: int) -> None:
        weighs = weight(len(message.content))
        self.messages += 1
        self._weights[shard] = self.weight(shard) + weighs
        charge(self._dispatcher.resting, origin, weighs)

    def _went(self, shard: int, entries: list[tuple[Envelope, int, int]]) -> list[Envelope]:
        self.messages -= len(entries)
        for message, _, origin in entries:
            weighs = weight(len(message.content))
            self._weights[shard] -= weighs
            charge(self._dispatcher.resting, origin, -weighs)
        if not self._waiting.get(shard, True):
            del self._waiting[shard], self._weights[shard]
        return [message for message, _, _ in entries]


def origin_of(message: Envelope, a_pass: Pass) -> int:
    """Return the agent whose roots an effect goes back to: the one that sent it, if nobody knows better."""
    return a_pass.origin or (message.receiver if message.flags & AUTOMATIC else message.sender)
