"""Back-pressure per agent: a client that fed a full mailbox is told, and told again when there is room."""

from workers.agents.mailbox import Mailbox
from workers.agents.registry import Agent
from workers.peers.peers import Peers
from workers.worker_pass import Pass

# The source of what agents of this shard send each other.
HERE = 0


class Pressure:
    """Gathers during a pass; `settle` at its end lets the pass tell the feeders.

    pressed: (agent, session) for each message that met a mailbox above its mark; placing appends to it.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.pressed: list[tuple[Agent, int]] = []
        self._tell: set[int] = set()

    def room(self, agent: Agent, mailbox: Mailbox) -> None:
        """A mailbox that was full has room again, or is gone."""
        fed_by, mailbox.fed_by = mailbox.fed_by, None
        for number in fed_by or ():
            peer = self._peers.find(number)
            if peer is not None:
                peer.full.discard(agent.agent_id)
                peer.announce()
                self._tell.add(number)

    def settle(self, a_pass: Pass) -> None:
        """Let the pass tell the feeders of full mailboxes."""
        for agent, session in self.pressed:
            mailbox = agent.mailbox
            if mailbox is not None and not mailbox.has_room:
                self._mark_full(agent, mailbox, session)
        self.pressed.clear()
        a_pass.tell |= self._tell
        self._tell.clear()

    def _mark_full(self, agent: Agent, mailbox: Mailbox, session: int) -> None:
        if mailbox.fed_by is None:
            mailbox.fed_by = set()
        mailbox.fed_by.add(session)
        peer = self._peers.find(session)
        if peer is not None and agent.agent_id not in peer.full:
            peer.full.add(agent.agent_id)
            peer.announce()
            self._tell.add(session)
