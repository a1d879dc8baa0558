"""What it takes to choose an agent by what it can do: in one process with a million agents, and in a runtime."""

import gc
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import caxton
from bench.guests.crowd import name_of
from bench.guests.echo import echo_wasm
from caxton.acl.capability import Balancing, Capability
from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Manifest
from caxton.capabilities.publication import Page, Publication
from caxton.capabilities.subscriptions import Subscriptions, Told
from caxton.client.client import Client
from caxton.ids import AgentNames
from caxton.wire.capable import Capable
from caxton.wire.codec import CONTROL
from workers.agents.registry import Agent, Registry
from workers.capabilities.loads import Loads

# Choices of one round, and rounds of which the median counts.
PICKS, ROUNDS = 100_000, 5
_SEED, _SUBSCRIBER, _INCARNATION = 1, 1 << 63, 7
_MARK = bytes(16)


class InOneProcess:
    """A shard's agents and a subscriber, with the frames between them encoded and decoded, and no socket.

    What is measured is computing time, so that a neighbour on the same core does not show.
    """

    def __init__(self, agents: int, per_capability: int) -> None:
        self._capabilities = max(1, agents // per_capability)
        self._registry = Registry()
        names, module = AgentNames(b"any key: who places an agent"), sha256(echo_wasm()).digest()
        for number in range(agents):
            name = name_of(number)
            manifest = Manifest(name, module, capabilities=(f"can-{number % self._capabilities}",))
            agent = Agent(names.id_of(name), manifest)
            agent.become(AgentState.LOADED)
            agent.become(AgentState.RUNNING)
            self._registry.add(agent)
        gc.collect()
        gc.freeze()
        self._frames: list[bytearray] = []
        self._publication = Publication(Loads(self._registry, {}), self._send)
        self._subscriptions = Subscriptions(random.Random(_SEED).random)
        self._subscriptions.serve([_INCARNATION])

    def _send(self, _peer: int, page: Page) -> bool:
        self._frames.append(CONTROL.encode(Capable(_INCARNATION, _MARK, _SUBSCRIBER, 0, *page)))
        return True

    def cold(self, count: int) -> dict[str, Any]:
        """Choose for capabilities that nobody asked for yet: all that a shard and a subscriber do for it."""
        taken_s: list[float] = []
        for number in range(min(count, self._capabilities)):
            began_s = time.thread_time()
            self._first(f"can-{number}")
            taken_s.append(time.thread_time() - began_s)
        return {"capabilities": min(count, self._capabilities), "cold_us": _summary(taken_s)}

    def _first(self, key: str) -> int | None:
        found = self._subscriptions.of(key, time.monotonic())
        for _, taken, wanted in self._subscriptions.say(0.0):
            self._publication.subscribe(_SUBSCRIBER, taken, [one[:3] for one in wanted], 0.0)
        self._publication.flush()
        frames, self._frames = self._frames, []
        for frame in frames:
            said = CONTROL.decode(frame)
            if isinstance(said, Capable):
                page = said.since, said.version, said.page, said.more, said.candidates, said.asked, said.refused
                self._subscriptions.hear(_INCARNATION, Told(said.shard, said.key, *page))
        return found.candidates.pick(Balancing.LEAST_CONNECTIONS)

    def warm(self) -> dict[str, Any]:
        """Choose for a capability that is known, each way: microseconds, the median of five rounds."""
        self._first("can-0")
        find, figures = self._subscriptions.find, {}
        for balancing in Balancing:
            rounds_s = []
            for _ in range(ROUNDS):
                began_s = time.thread_time()
                for _ in range(PICKS):
                    found = find("can-0")
                    if found is not None:
                        found.used = True
                        found.candidates.pick(balancing)
                rounds_s.append(time.thread_time() - began_s)
            figures[balancing.value] = round(statistics.median(rounds_s) / PICKS * 1e6, 3)
        return figures


class InARuntime:
    """A runtime's agents; the figures are what a program sees."""

    def __init__(self, runtime_dir: Path, per_capability: int) -> None:
        self._runtime_dir = runtime_dir
        self._per_capability = per_capability

    async def deploy(self, capabilities: int) -> None:
        """Deploy agents: so many for each capability."""
        deployments = [
            caxton.Deployment(f"able-{number}", echo_wasm(), capabilities=[f"can-{number % capabilities}"])
            for number in range(capabilities * self._per_capability)
        ]
        async with self._client() as client:
            for result in await client.deploy_many(deployments):
                if isinstance(result, Exception):
                    raise result

    async def cold(self, capabilities: int, rounds: int) -> dict[str, int]:
        """Ask who can do it with clients that know nothing yet, one capability after the other."""
        taken_s: list[float] = []
        for _ in range(rounds):
            async with self._client() as client:
                for number in range(capabilities):
                    began_s = time.perf_counter()
                    await client._reach().capable.find(  # noqa: SLF001 (the choice alone, without the message)
                        f"can-{number}", Balancing.LEAST_CONNECTIONS, (), None, 10.0
                    )
                    taken_s.append(time.perf_counter() - began_s)
        return _summary(taken_s)

    async def seen(self, changes: int) -> dict[str, int]:
        """Let agents have a capability, and wait until a client that subscribed knows: from the answer to the call on.

        Workers hear it by the same words, at the same time.
        """
        taken_s: list[float] = []
        async with self._client() as client, self._client() as other:
            capable = other._reach().capable  # noqa: SLF001 (what is known, and not what is sent)
            await other.request(Capability("can-0"), b"it is known who can")
            for number in range(1, changes + 1):
                agent = client.id_of(f"able-{number}")
                await client.advertise(agent, add=["can-0"])
                began_s = time.perf_counter()
                while (found := capable.subscriptions.find("can-0")) is not None and agent not in found.candidates:
                    await capable._news("can-0", 1.0)  # noqa: SLF001 (the same)
                taken_s.append(time.perf_counter() - began_s)
                await client.advertise(agent, remove=["can-0"])
        return _summary(taken_s)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        async with caxton.connect(self._runtime_dir) as client:
            yield client


def _summary(taken_s: list[float]) -> dict[str, int]:
    """Return p50, p95 and the longest, in microseconds."""
    ordered = sorted(taken_s)
    at = {"p50": len(ordered) // 2, "p95": len(ordered) * 95 // 100, "max": len(ordered) - 1}
    return {name: round(ordered[place] * 1e6) for name, place in at.items()}
