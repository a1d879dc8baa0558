"""The rooms of the durable lane, put together."""

from dataclasses import dataclass

from workers.attempts import Attempts
from workers.dead_letters import DeadLetters
from workers.durable_placing import DurablePlacing
from workers.durable_routes import DurableRoutes
from workers.greetings import Greetings
from workers.journal import Journal
from workers.keys import Keys
from workers.retries import Retries
from workers.suspects import Suspects
from workers.ways import Ways


@dataclass
class DurableRooms:
    """Who does what on the durable lane of this worker; made by the composition root, used by the loop."""

    journal: Journal
    ways: Ways
    greetings: Greetings
    placing: DurablePlacing
    routes: DurableRoutes
    attempts: Attempts
    letters: DeadLetters
    keys: Keys
    retries: Retries
    suspects: Suspects
