"""The turns of messages that a worker died of: each alone, with nothing else in its commit, nor before that is done."""

from workers.agents.delivery import Delivery
from workers.agents.registry import Agent
from workers.loop.shard import Shard
from workers.worker_pass import Pass


class LoneTurns:
    """Runs one such message at a time. under_way: one had its turn, and its commit is not done."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._suspects = shard.durable.suspects
        self._journal = shard.durable.journal
        self.under_way = False

    @property
    def wait(self) -> bool:
        """True while there is one: then nothing else runs."""
        return self.under_way or bool(self._suspects.waiting)

    @property
    def may_run(self) -> bool:
        """True when no commit is under way that its own would have to share."""
        return not self.under_way and self._journal.quiet

    def run(self, a_pass: Pass) -> None:
        """Run the next one, or give it back to its agent when this one runs no turns now."""
        agent, delivery = self._suspects.waiting.popleft()
        held = (agent.retrying or {}).get(delivery.message.sender)
        if held is None or held[0][4] is not delivery:
            return  # it is gone with its agent, and is a dead letter
        if agent.holds:
            self._shard.dispatcher.put_back(agent, agent.take_from_aside(delivery.message.sender))
        else:
            self._take(agent, delivery, a_pass)

    def committed(self) -> bool:
        """A commit is done; True when one was under way that waited for it."""
        was_under_way, self.under_way = self.under_way, False
        return was_under_way

    def _take(self, agent: Agent, delivery: Delivery, a_pass: Pass) -> None:
        shard = self._shard
        first, *behind = agent.take_from_aside(delivery.message.sender)
        shard.dispatcher.leave(agent, 1, shard.pressure.room)
        shard.dispatcher.put_back(agent, behind)
        self.under_way = True
        a_pass.turns += 1
        self._suspects.alone = delivery
        message, source, sequence, expires_ns, _, a_pass.origin = first
        shard.turns.take(agent, message, source, sequence, expires_ns, delivery)
        a_pass.origin = 0
        self._suspects.alone = None
        self._journal.urgent = True
