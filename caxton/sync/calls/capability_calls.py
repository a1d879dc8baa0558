"""`caxton.client.calls.capability_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterable, Iterator
from functools import partial

from caxton.client.connection import Agent
from caxton.errors import CaxtonError
from caxton.sync.connection import Connection
from caxton.sync.returned import AgentListing
from caxton.wire.calls import AgentView
from caxton.wire.capability_calls import CapabilityView


class CapabilityCalls(Connection):
    """Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer."""

    def find(self, *names: str, limit: int | None = None, after: str = "") -> AgentListing:
        """Return the agents that have all of these capabilities, in the order of their names, whether healthy or not.

        To be iterated with `for`. limit: at most so many. after: those whose names
        come behind this one. Raises ValidationError for what is no capability.
        """
        return AgentListing(self._thread, self._made(partial(self._client.find, *names, limit=limit, after=after)))

    def lookup(self, agents: Iterable[Agent]) -> list[AgentView | CaxtonError]:
        """Return all about each of these agents, in order, or AgentNotFound where there is none."""
        return self._run(self._client.lookup(agents))

    def capabilities(self, *, after: str = "") -> Iterator[CapabilityView]:
        """Yield the capabilities that agents have, in the order of the alphabet, each with how many have it.

        They are asked for while they are taken, at most 500 of each shard at a time. after: those behind this one.
        Raises ValidationError for what is no capability.
        """
        return self._iterated(self._client.capabilities(after=after))

    def advertise(
        self,
        agent: Agent,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        weight: int | None = None,
        health: str | None = None,
    ) -> AgentView:
        """Let an agent have other capabilities, also after a restart; returns it as it is then.

        weight: from 1 to 100, its share where the balancing is "weighted". health: "unhealthy" keeps messages to its
        capabilities from it, "healthy" sends them to it as long as it takes any, "auto" leaves it to how it is. Raises
        AgentNotFound, ValidationError.
        """
        return self._run(self._client.advertise(agent, add=add, remove=remove, weight=weight, health=health))
