"""What agents say that they can do, while they are there: stored with a commit, and told to whoever asks for it."""

from collections.abc import Iterable

from msgspec import structs

from caxton.agents.manifest import Manifest, capabilities_of
from caxton.errors import AgentNotFound
from workers.agents.registry import Agent, Registry
from workers.commit.journal import Journal


class Advertising:
    """Changes the manifests of a shard's agents."""

    def __init__(self, registry: Registry, journal: Journal) -> None:
        self._registry = registry
        self._journal = journal

    def change(self, agent_id: int, add: Iterable[str], remove: Iterable[str], **others: str | int) -> Agent:
        """Let an agent have other capabilities from now on, in the commit that is gathered; returns it.

        others: further fields of its manifest, such as its weight, with what they are from now on. Raises
        AgentNotFound, ValidationError when it would have too many, and ResourceExhausted when all of the shard would.
        """
        agent = self._registry.find(agent_id)
        if agent is None:
            raise AgentNotFound(f"{agent_id:016x}")
        before = agent.manifest
        after = changed(before, add, remove, **others)
        if after != before:
            self._registry.replace(agent, after)
            self._journal.commit.offered[agent_id] = after, self._journal.wall_ms
            self._journal.urgent = True
        return agent


def changed(manifest: Manifest, add: Iterable[str], remove: Iterable[str], **others: str | int) -> Manifest:
    """Return a manifest with other capabilities: what is both added and removed is not there. Raises ValidationError.

    They stand in the order in which they came.
    """
    gone = set(remove)
    names = capabilities_of(name for name in dict.fromkeys((*manifest.capabilities, *add)) if name not in gone)
    return structs.replace(manifest, capabilities=names, **others)
