"""What would wait for itself: a request to an attached agent whose handlers all wait for what comes of it."""

from itertools import chain, islice

from caxton.acl.envelope import Envelope
from caxton.delivery.causes import waiters_of, waits_for_itself
from caxton.errors import Deadlock
from workers.agents.registry import Agent
from workers.worker_pass import Pass

# Messages that wait for the agent in memory, of those that are looked at.
MOST_LOOKED_AT = 1_024


def deadlock(agent: Agent, message: Envelope, a_pass: Pass) -> Deadlock | None:
    """Return why a message for an agent whose handlers run ends at once, None when it may wait for them."""
    if not waiters_of(message):
        return None
    under_way = {entry[0].message_id for entry in agent.drawn.values()}
    lines = [] if agent.mailbox is None else agent.mailbox.lines()
    entries = chain(agent.drawn.values(), islice(chain.from_iterable(lines), MOST_LOOKED_AT))
    if not waits_for_itself(message, under_way, (entry[0] for entry in entries), agent.concurrency):
        return None
    a_pass.counts["deadlocks"] += 1
    return Deadlock(agent.label, agent.concurrency)
