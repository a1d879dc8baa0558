"""SPADE's agents that are asked: an echo, and ten bidders; as a program, a process of them."""

import asyncio
import sys

import uvloop
from spade.agent import Agent
from spade.behaviour import CyclicBehaviour
from spade.message import Message

from bench.conversations.bids import bid
from bench.peers.nets import ACCEPT, BIDDERS, CFP, INFORM, PROPOSE

# What their names end with, which is also where they find the server.
HERE = "127.0.0.1"
READY = "ready\n"
PERFORMATIVE = "performative"
TIMEOUT_S = 30.0
# Whose they are: of a process of their own, or of that in which they are asked.
FAR, NEAR = "far", "near"


class KnownAgent(Agent):
    """An agent that has started only when the server knows that it is there: until then messages are not passed on."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}@{HERE}", "no secret")

    async def setup(self) -> None:
        """Ask the server something after the agent's presence: it takes one after the other."""
        await self.client["xep_0199"].ping()


class Echo(CyclicBehaviour):
    """Answers with what it was given."""

    async def run(self) -> None:
        """Take one message, if there is one."""
        message = await self.receive(timeout=TIMEOUT_S)
        if message:
            await self.send(message.make_reply())


class Bidder(CyclicBehaviour):
    """Proposes what its place asks, and does what is accepted."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._place = place

    async def run(self) -> None:
        """Take one message, if there is one."""
        message = await self.receive(timeout=TIMEOUT_S)
        performative = message.get_metadata(PERFORMATIVE) if message else None
        if performative == CFP:
            await self.send(answer_to(message, PROPOSE, bid(self._place, message.body.encode()).decode()))
        elif performative == ACCEPT:
            await self.send(answer_to(message, INFORM, message.body))


def answer_to(message: Message, performative: str, body: str) -> Message:
    """Return an answer of the same thread, which is the round that it is of."""
    answer = message.make_reply()
    answer.body = body
    answer.set_metadata(PERFORMATIVE, performative)
    return answer


def echo_of(side: str) -> str:
    """Return the name of the echo of a side."""
    return f"echo-{side}"


def bidders_of(side: str) -> list[str]:
    """Return the names of the bidders of a side."""
    return [f"bidder-{side}-{place}" for place in range(BIDDERS)]


async def start_asked(side: str) -> list[Agent]:
    """Have an echo and the bidders connect to the server, and return them."""
    behaviours = {echo_of(side): Echo()} | {name: Bidder(place) for place, name in enumerate(bidders_of(side))}
    agents = []
    for name, behaviour in behaviours.items():
        agents.append(KnownAgent(name))
        agents[-1].add_behaviour(behaviour)
    await asyncio.gather(*[agent.start() for agent in agents])
    return agents


async def _be_asked() -> None:
    await start_asked(FAR)
    sys.stdout.write(READY)
    sys.stdout.flush()
    await asyncio.Event().wait()  # until the process is ended


if __name__ == "__main__":
    uvloop.run(_be_asked())
