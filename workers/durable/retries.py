"""Durable messages that wait for their retry, each with the later ones of the same pair behind it."""

from collections import Counter
from heapq import heappop, heappush

from workers.agents.mailbox import Entry
from workers.agents.registry import Agent


class Retries:
    """By agent and sender; a message that waits holds back its own pair only."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Agent, int]] = []
        # How many of these there are for each pair.
        self._times: Counter[tuple[Agent, int]] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def hold(self, agent: Agent, entry: Entry, due_ns: int) -> None:
        """Let a message wait until `due_ns` (monotonic), and those of its sender behind it.

        A client that was given several messages of a pair may fail on more than one of them. They wait in the order in
        which they are held, until the last of them is due.
        """
        sender = entry[0].sender
        agent.set_aside(entry)
        self._count += 1  # orders what is due at the same time
        self._times[agent, sender] += 1
        heappush(self._due, (due_ns, self._count, agent, sender))

    def due(self, now_ns: int) -> list[tuple[Agent, list[Entry]]]:
        """Return, and no longer hold, what is due: agents with entries to put back, in order."""
        found: list[tuple[Agent, list[Entry]]] = []
        while self._due and self._due[0][0] <= now_ns:
            _, _, agent, sender = heappop(self._due)
            pair = agent, sender
            self._times[pair] -= 1
            if self._times[pair]:
                continue
            del self._times[pair]
            entries = agent.take_from_aside(sender)
            if entries:
                found.append((agent, entries))
        return found

    def forget(self, agent: Agent) -> list[Entry]:
        """Return, and no longer hold, everything that waits for an agent."""
        return [entry for sender in list(agent.retrying or ()) for entry in agent.take_from_aside(sender)]
