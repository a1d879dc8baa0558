"""AutoGen Core: agents of the runtime in the client's own process; tasks that await one message each.

It has no performatives: each message of a contract net is a type of its own, and an answer is what a handler returns.
"""

import asyncio
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass

from autogen_core import (
    AgentId,
    AgentInstantiationContext,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)

from bench.conversations.bids import JOB, bid
from bench.peers.form import CONTRACT_NET, FEW, ONE_BY_ONE, Form, arguments, check, report
from bench.peers.loops import alone_in, new_runner, of_tasks
from bench.peers.nets import AT_ONCE, BIDDERS, NOT_SELECTED, cheapest

_ONE_PROCESS = "one process and one task: nothing crosses a process, nothing is isolated"


@dataclass
class Said:
    """A message; the runtime writes each as JSON, so that bytes go as text."""

    content: str


class CallForProposals(Said):
    """What is to be done."""


class Proposal(Said):
    """A price."""


class Acceptance(Said):
    """The price at which it is to be done."""


class Rejection(Said):
    """Why somebody else does it."""


class Done(Said):
    """The price at which it was done."""


class Echo(RoutedAgent):
    """Answers with what it was given."""

    @message_handler
    async def answer(self, message: Said, ctx: MessageContext) -> Said:  # noqa: ARG002 (the signature that it wants)
        """Return the content."""
        return Said(message.content)


class Bidder(RoutedAgent):
    """Proposes what its place asks, and does what is accepted."""

    def __init__(self, place: int) -> None:
        super().__init__("a bidder")
        self._place = place

    @message_handler
    async def propose(self, message: CallForProposals, ctx: MessageContext) -> Proposal:  # noqa: ARG002 (as above)
        """Return a price."""
        return Proposal(bid(self._place, message.content.encode()).decode())

    @message_handler
    async def carry(self, message: Acceptance, ctx: MessageContext) -> Done:  # noqa: ARG002 (as above)
        """Return the price."""
        return Done(message.content)

    @message_handler
    async def give_up(self, message: Rejection, ctx: MessageContext) -> None:
        """Do nothing."""


class Asked:
    """The agents as one program asks them."""

    def __init__(self, runtime: SingleThreadedAgentRuntime) -> None:
        self._runtime = runtime
        self._echo = AgentId("echo", "default")
        self._bidders = [AgentId("bidder", str(place)) for place in range(BIDDERS)]

    async def ask(self, content: bytes) -> bytes:
        """Return the echo's answer."""
        answer: Said = await self._runtime.send_message(Said(content.decode("latin-1")), self._echo)
        return answer.content.encode("latin-1")

    async def negotiate(self, job: bytes) -> bytes:
        """Have the bidders bid for the job, and return it when it is done."""
        proposals = await self._tell_all([CallForProposals(job.decode())] * BIDDERS)
        prices = [proposal.content for proposal in proposals if isinstance(proposal, Proposal)]
        won = cheapest([int(price) for price in prices])
        verdicts: list[Said] = [Rejection(NOT_SELECTED)] * BIDDERS
        verdicts[won] = Acceptance(prices[won])
        check((await self._tell_all(verdicts))[won], Done(prices[won]))
        return job

    async def _tell_all(self, messages: Sequence[Said]) -> Sequence[object]:
        told = zip(messages, self._bidders, strict=True)
        answers: list[object] = await asyncio.gather(
            *[self._runtime.send_message(message, bidder) for message, bidder in told]
        )
        return answers


async def _start() -> SingleThreadedAgentRuntime:
    runtime = SingleThreadedAgentRuntime()
    await Echo.register(runtime, "echo", lambda: Echo("an echo"))
    await Bidder.register(runtime, "bidder", lambda: Bidder(int(AgentInstantiationContext.current_agent_id().key)))
    runtime.start()
    return runtime


def main() -> None:
    """Start a runtime with its agents, and measure it under uvloop."""
    content, seconds = arguments()
    with new_runner() as runner:
        runtime = runner.run(_start())
        asked = Asked(runtime)
        try:
            forms = [
                Form(
                    name,
                    of_tasks(runner, ask, of),
                    numbers,
                    alone_in(runner, ask, of),
                    note=_ONE_PROCESS,
                )
                for name, ask, of, numbers in (
                    (ONE_BY_ONE, asked.ask, content, FEW),
                    (CONTRACT_NET, asked.negotiate, JOB, AT_ONCE),
                )
            ]
            report(importlib.metadata.version("autogen-core"), 1, forms, seconds)
        finally:
            runner.run(runtime.stop())


if __name__ == "__main__":
    main()
