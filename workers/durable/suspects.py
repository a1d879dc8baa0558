"""Messages that a worker died of: they run alone, so that the next death is surely theirs."""

from collections import deque

from caxton.acl.envelope import Envelope
from caxton.errors import CaxtonError
from workers.agents.delivery import DURABLE_ROOT, Delivery
from workers.agents.registry import Agent
from workers.commit.journal import Journal

# What was not placed: its sequence, and why.
Refused = list[tuple[int, Envelope, CaxtonError]]
# Design, section 4: after three deaths a message is dead-lettered as poison, and its agent has failed.
MOST_DEATHS = 3
# In the file the charges of agents stand under this source, which is no store's: agents' ids have 63 bits.
_AGENTS = 0


class Suspects:
    """charges: deaths by root (source, sequence). What is claimed here waits until it can run alone.

    agents: deaths by agent, in whose turns they happened. alone: what has its turn alone now.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.charges = journal.roots.charges
        self.agents: dict[int, int] = {}
        self.waiting: deque[tuple[Agent, Delivery]] = deque()
        self.alone: Delivery | None = None

    def restore(self, charges: dict[tuple[int, int], int]) -> None:
        """Know what the file holds."""
        for (source, number), deaths in charges.items():
            if source == _AGENTS:
                self.agents[number] = deaths
            else:
                self.charges[source, number] = deaths

    def charge(self, root: tuple[int, int]) -> bool:
        """A worker died in a turn of this root: returns whether it had its turn alone, and so surely died of that."""
        deaths = self.charges.get(root, 0)
        self._set(root, deaths + 1)
        return deaths > 0

    def condemn(self, root: tuple[int, int]) -> None:
        """An agent has failed of this root: it is poison, also if an earlier death was charged to what caused it."""
        self._set(root, MOST_DEATHS)

    def charge_agent(self, agent_id: int) -> int:
        """A worker died in a turn of this agent: returns how often that was."""
        deaths = self.agents[agent_id] = self.agents.get(agent_id, 0) + 1
        self._journal.commit.charges[_AGENTS, agent_id] = deaths
        self._journal.urgent = True
        return deaths

    def forgive_agent(self, agent_id: int) -> None:
        """An agent is trusted again, or gone."""
        if self.agents.pop(agent_id, None) is not None:
            self._journal.commit.charges[_AGENTS, agent_id] = 0
            self._journal.urgent = True

    def deaths(self, delivery: Delivery) -> int:
        """Return how many deaths a message is charged with."""
        return self.charges.get((delivery.source, delivery.sequence), 0)

    def claim(self, agent: Agent, delivery: Delivery) -> bool:
        """Take a message that is charged, to be run alone; its charge follows it into the file. False if it is not."""
        if (delivery.source, delivery.sequence) not in self.charges or delivery is self.alone:
            return False
        self._journal.linger(delivery)
        self.waiting.append((agent, delivery))
        return True

    def acquit(self, delivery: Delivery) -> None:
        """Forget the charge of a message that is finished, or has another root now."""
        self.forget((delivery.source, delivery.sequence))

    def forget_source(self, file: int) -> None:
        """A source is gone, and with it what it never sent again."""
        for root in [root for root in self.charges if root[0] == file]:
            self.forget(root)

    def forget_refused(self, file: int, refused: Refused) -> None:
        """What a source sent again is refused: nothing is left that its charges are for."""
        if self.charges:
            for sequence, _, _ in refused:
                self.forget((file, sequence | DURABLE_ROOT))

    def forget(self, root: tuple[int, int]) -> None:
        """What a charge was for has been seen to."""
        if self.charges.pop(root, None) is not None:
            self._journal.commit.charges[root] = 0

    def _set(self, root: tuple[int, int], deaths: int) -> None:
        self.charges[root] = deaths
        self._journal.commit.charges[root] = deaths
        self._journal.urgent = True
