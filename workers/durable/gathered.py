"""What one commit is to write of agents' dead letters: whoever has the most of it makes room for what is too much."""

from collections import Counter, OrderedDict
from heapq import heapify, heappop, heappush

# Entries of the heap that are no longer true and may be in it, beside as many as there are agents.
_SPARE = 64


class Gathered:
    """The letters of one commit that agents sent, each agent's oldest first. bytes: of all their contents."""

    def __init__(self) -> None:
        self.bytes = 0
        self._letters: dict[int, OrderedDict[int, int]] = {}
        self._bytes_of: Counter[int] = Counter()
        # Of each agent what it has, as a number below zero, or had once when that was more.
        self._most: list[tuple[int, int]] = []

    def add(self, number: int, agent_id: int, size: int) -> None:
        """One more is to be written, with a content of so many bytes."""
        self._letters.setdefault(agent_id, OrderedDict())[number] = size
        self.bytes += size
        self._bytes_of[agent_id] += size
        heappush(self._most, (-self._bytes_of[agent_id], agent_id))
        if len(self._most) > 2 * len(self._letters) + _SPARE:
            self._most = [(-has, each) for each, has in self._bytes_of.items()]
            heapify(self._most)

    def leave(self, number: int, agent_id: int) -> None:
        """One is not to be written after all, if it was."""
        letters = self._letters.get(agent_id)
        if letters is not None and number in letters:
            size = letters.pop(number)
            self.bytes -= size
            self._bytes_of[agent_id] -= size
            if not letters:
                del self._letters[agent_id], self._bytes_of[agent_id]

    def first_to_go(self) -> int:
        """Return the oldest letter of the agent that has the most bytes; there is one."""
        while True:
            had, agent_id = self._most[0]
            has = self._bytes_of.get(agent_id)
            if has == -had:
                return next(iter(self._letters[agent_id]))
            heappop(self._most)
            if has is not None:
                heappush(self._most, (-has, agent_id))
