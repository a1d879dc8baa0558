"""The durable lane of one worker, put together."""

from dataclasses import dataclass

from workers.commit.greetings import Greetings
from workers.commit.journal import Journal
from workers.commit.outboxes import Outboxes
from workers.durable.attempts import Attempts
from workers.durable.dead_letters import DeadLetters
from workers.durable.disk import Disk
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.placing import DurablePlacing
from workers.durable.retries import Retries
from workers.durable.routes import DurableRoutes
from workers.durable.suspects import Suspects


@dataclass
class DurableLane:
    """Who does what on the durable lane of this worker; made by the composition root, used by the loop."""

    journal: Journal
    outboxes: Outboxes
    greetings: Greetings
    placing: DurablePlacing
    routes: DurableRoutes
    attempts: Attempts
    dead_letters: DeadLetters
    keys: IdempotencyKeys
    retries: Retries
    suspects: Suspects
    disk: Disk
