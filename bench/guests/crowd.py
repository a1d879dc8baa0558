"""Many registered agents: more than one call should ask for, and what they take of their workers' memory."""

from collections.abc import Callable

from bench.guests.echo import echo_wasm
from caxton.agents.deployment import Deployment
from caxton.agents.limits import BOUNDS, Limits
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

# Few enough that a bar moves, so many that a call's own cost is nothing.
_AT_ONCE = 10_000
# An agent's time runs on while its worker waits for a core, and here more processes may work than there are cores.
_LIMITS = Limits(max_execution_ms=BOUNDS["max_execution_ms"][1])


def name_of(number: int) -> str:
    """Return the name of one agent of the crowd."""
    return f"echo-{number}"


async def register(client: Client, first: int, beyond: int, show: Callable[[int], None]) -> list[AgentId]:
    """Register the echo agents from `first` up to, and without, `beyond`; returns their ids in order.

    show: told how many there are by now. Raises the error of the first that is refused.
    """
    wasm = echo_wasm()
    agents: list[AgentId] = []
    for start in range(first, beyond, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, beyond))
        deployments = [Deployment(name_of(number), wasm, limits=_LIMITS) for number in numbers]
        for result in await client.deploy_many(deployments):
            if isinstance(result, CaxtonError):
                raise result
            agents.append(result)
        show(numbers.stop)
    return agents
