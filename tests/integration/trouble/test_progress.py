"""Callers that give up, agents that pause, workers that are killed: afterwards every agent answers every client."""

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack

import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.errors import CaxtonError, InvalidStateTransition
from caxton.testing import eventually

WORKERS = 2
OPTIONS = ("--restart-limit", "1000")
CLIENTS, AGENTS, STEPS = 3, 4, 60
# What a caller may have to wait for: two restarts of a worker and a loaded machine.
DEADLINE_S = 60.0
LANES = ("at_least_once", "at_most_once")


class Life:
    """What goes on, step by step, and what is under way of it."""

    def __init__(self, served, clients, agents, dice, group):
        self.served, self.clients, self.agents, self.dice, self.group = served, clients, agents, dice, group
        self.callers, self.paused = [], set()

    def messages(self, count):
        options = DeliveryOptions(reliability=self.dice.choice(LANES))
        return [Message(self.dice.choice(self.agents), b"?", delivery_options=options) for _ in range(count)]

    async def ask(self):
        """Somebody asks, patiently or not."""
        client, count = self.dice.choice(self.clients), self.dice.choice([1, 10, 300])
        timeout_s = self.dice.choice([0.01, DEADLINE_S])
        call = self.dice.choice([client.request_many, client.send_batch])
        self.callers.append(self.group.create_task(call(self.messages(count), timeout_s=timeout_s)))

    async def give_up(self):
        """Half of all callers are cancelled."""
        for caller in self.dice.sample(self.callers, len(self.callers) // 2):
            caller.cancel()

    async def pause_or_resume(self):
        """Somebody pauses an agent, or lets it go on."""
        agent = self.dice.choice(self.agents)
        await self.change(self.dice.choice(self.clients), agent, pause=agent not in self.paused)
        self.paused ^= {agent}

    async def change(self, client, agent, *, pause):
        """Pause or resume an agent; what a worker that ends leaves unknown is tried again."""

        async def changed():
            try:
                await (client.pause(agent) if pause else client.resume(agent))
            except InvalidStateTransition:
                pass  # it was done, and its answer was lost
            except CaxtonError:
                return False
            return True

        await eventually(changed, DEADLINE_S)

    async def kill(self):
        """A worker dies, and others go on before its successor serves."""
        shard = self.dice.randrange(WORKERS)
        await eventually(lambda: self.served.worker_pid(shard), DEADLINE_S)
        await self.served.kill_worker(shard)

    async def stand_still(self):
        """A worker is stopped, some go on asking it, and it goes on."""
        shard = self.dice.randrange(WORKERS)
        pid = await eventually(lambda: self.served.worker_pid(shard), DEADLINE_S)
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(5):
                await self.ask()
            await self.served.health()  # meanwhile they send
        finally:
            os.kill(pid, signal.SIGCONT)

    async def answered(self, client, agent):
        """Ask until the agent answers on both lanes; what a worker that ends leaves unknown is asked again."""

        async def asked(lane):
            try:
                return await client.request(agent, b"?", timeout_s=5.0, options=DeliveryOptions(reliability=lane))
            except CaxtonError:
                return None

        for lane in LANES:
            assert await eventually(lambda lane=lane: asked(lane), DEADLINE_S)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_agent_answers_every_client_whatever_happened_to_others(served, agent, seed):
    """Cancels, timeouts, pauses and kills leave no client that an agent does not answer, and no caller that waits."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        clients = [await stack.enter_async_context(served.connect()) for _ in range(CLIENTS)]
        agents = [await agent("echo", f"echo {seed} {number}") for number in range(AGENTS)]
        life = Life(served, clients, agents, random.Random(seed), group)
        steps = [life.ask, life.ask, life.ask, life.ask, life.give_up, life.pause_or_resume, life.pause_or_resume]
        for step in range(STEPS):
            await life.dice.choice(steps)()
            if step % 20 == 9:
                await life.stand_still()
            if step % 20 == 19:
                await life.kill()
        for paused in life.paused:
            await life.change(clients[0], paused, pause=False)

        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*life.callers, return_exceptions=True)
            await asyncio.gather(*(life.answered(client, to) for client in clients for to in agents))
        assert not any(route.volatile.backlog.waiting for client in clients for route in client._open()._routes)
