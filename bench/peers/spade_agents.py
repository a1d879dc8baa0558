"""SPADE: an agent that asks others by its server, which are of another process; and others of its own container.

What is for an agent of the same container is handed over within the process. What is for others goes as XMPP to the
server, pyjabber, and from there to them. Only behaviours of agents send and receive, so each measurement is one. A
request is a message with nothing but a body, which is the least; a round has performatives, and a thread of its own.
"""

import asyncio
import importlib.metadata
import itertools
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spade.agent import Agent
from spade.behaviour import OneShotBehaviour
from spade.message import Message
from spade.template import Template

from bench.conversations.bids import JOB
from bench.load.closed_loop import WrongAnswer
from bench.peers.form import CONTRACT_NET, ONE_BY_ONE, Form, arguments, check, report
from bench.peers.loops import alone_in, new_runner, of_tasks, one_after_the_other
from bench.peers.nets import ACCEPT, AT_ONCE, CFP, INFORM, NOT_SELECTED, PROPOSE, REJECT, cheapest
from bench.peers.spade_asked import (
    FAR,
    HERE,
    NEAR,
    PERFORMATIVE,
    READY,
    TIMEOUT_S,
    KnownAgent,
    answer_to,
    bidders_of,
    echo_of,
    start_asked,
)

_UNDER_WAY = (16, 64, 256)
_NAMES = {FAR: "XMPP", NEAR: "one container"}
_PROCESSES = {FAR: 3, NEAR: 1}
_NOTES = {
    FAR: "by its server pyjabber, to which both processes connect with TLS",
    NEAR: "one process and one task: nothing crosses a process, nothing is isolated",
}


class Work(OneShotBehaviour):
    """Does one piece of work as an agent, and gives its result, or what went wrong, to whoever waits for `ended`."""

    def __init__(self, work: Callable[["Work"], Awaitable[Any]]) -> None:
        super().__init__()
        self._work = work
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Do it."""
        try:
            self.ended.set_result(await self._work(self))
        except Exception as error:  # noqa: BLE001 (whoever waits is told)
            self.ended.set_exception(error)

    async def next(self) -> Message:
        """Return the next message; raises TimeoutError."""
        message = await self.receive(timeout=TIMEOUT_S)
        if message is None:
            raise TimeoutError(f"no message within {TIMEOUT_S:g} s")
        return message


class Asking:
    """The agents of one side as one agent asks them."""

    def __init__(self, runner: asyncio.Runner, agent: Agent, side: str) -> None:
        self._runner = runner
        self._agent = agent
        self._echo = _jid(echo_of(side))
        self._bidders = [_jid(name) for name in bidders_of(side)]
        self._rounds = map(str, itertools.count())

    def rate(self, content: bytes, under_way: int, seconds: float) -> float:
        """Keep so many messages under way, and return round trips a second, with those of the last ones."""

        async def keep_asking(work: Work) -> float:
            answered, began_s = 0, time.perf_counter()
            for _ in range(under_way):
                await self._send(work, content)
            while time.perf_counter() - began_s < seconds:
                check(await _receive(work), content)
                answered += 1
                await self._send(work, content)
            for _ in range(under_way):
                check(await _receive(work), content)
            return (answered + under_way) / (time.perf_counter() - began_s)

        rate: float = self._runner.run(self._done(keep_asking))
        return rate

    def alone(self, content: bytes, seconds: float) -> dict[str, int]:
        """Ask one message after the other, and return p50 and p99 in microseconds."""

        async def ask_alone(work: Work) -> dict[str, int]:
            async def ask(asked: bytes) -> bytes:
                await self._send(work, asked)
                return await _receive(work)

            return await one_after_the_other(ask, content, seconds)

        latencies: dict[str, int] = self._runner.run(self._done(ask_alone))
        return latencies

    async def negotiate(self, job: bytes) -> bytes:
        """Have the bidders bid for the job, in a thread of its own, and return it when it is done."""
        thread = next(self._rounds)

        async def hold(work: Work) -> bytes:
            for bidder in self._bidders:
                cfp = Message(to=bidder, body=job.decode(), thread=thread, metadata={PERFORMATIVE: CFP})
                await work.send(cfp)
            proposals = {str(each.sender): each for each in [await _next(work, PROPOSE) for _ in self._bidders]}
            ordered = [proposals.pop(bidder) for bidder in self._bidders]
            accepted = ordered.pop(cheapest([int(proposal.body) for proposal in ordered]))
            await work.send(answer_to(accepted, ACCEPT, accepted.body))
            for proposal in ordered:
                await work.send(answer_to(proposal, REJECT, NOT_SELECTED))
            done = await _next(work, INFORM)
            check((str(done.sender), done.body), (str(accepted.sender), accepted.body))
            return job

        result: bytes = await self._done(hold, Template(thread=thread))
        return result

    async def _done(self, work: Callable[[Work], Awaitable[Any]], template: Template | None = None) -> Any:
        behaviour = Work(work)
        self._agent.add_behaviour(behaviour, template)
        return await behaviour.ended

    async def _send(self, work: Work, content: bytes) -> None:
        await work.send(Message(to=self._echo, body=content.decode("latin-1")))


def _jid(name: str) -> str:
    return f"{name}@{HERE}"


async def _receive(work: Work) -> bytes:
    body: str = (await work.next()).body
    return body.encode("latin-1")


async def _next(work: Work, performative: str) -> Message:
    message = await work.next()
    if message.get_metadata(PERFORMATIVE) != performative:
        raise WrongAnswer(f"{message} is no {performative}")
    return message


async def _start() -> list[Agent]:
    asking = KnownAgent("asking")
    await asking.start()
    return [asking, *await start_asked(NEAR)]


async def _stop(agents: list[Agent]) -> None:
    await asyncio.gather(*[agent.stop() for agent in agents])


@contextmanager
def _running(module: str) -> Iterator[None]:
    """Run a module of the bench in a process of its own, from when it is ready."""
    with subprocess.Popen([sys.executable, "-m", f"bench.peers.{module}"], stdout=subprocess.PIPE, text=True) as child:
        try:
            if child.stdout is None or child.stdout.readline() != READY:
                raise ConnectionError(f"{module} has ended")
            yield
        finally:
            child.kill()


def main() -> None:
    """Start a server, agents in another process and in this one, and measure them."""
    content, seconds = arguments()
    if not content:
        raise SystemExit("SPADE's agents get no message without a body: they need a payload of 1 or more")
    with _running("spade_server"), _running("spade_asked"), new_runner() as runner:
        agents = runner.run(_start())
        try:
            forms = [
                form for side in (FAR, NEAR) for form in _forms(runner, Asking(runner, agents[0], side), side, content)
            ]
            report(importlib.metadata.version("spade"), _PROCESSES[FAR], forms, seconds)
        finally:
            runner.run(_stop(agents))


def _forms(runner: asyncio.Runner, asking: Asking, side: str, content: bytes) -> list[Form]:
    return [
        Form(
            f"{ONE_BY_ONE}, {_NAMES[side]}",
            lambda under_way, seconds: asking.rate(content, under_way, seconds),
            _UNDER_WAY,
            lambda seconds: asking.alone(content, seconds),
            note=_NOTES[side],
            processes=_PROCESSES[side],
        ),
        Form(
            f"{CONTRACT_NET}, {_NAMES[side]}",
            of_tasks(runner, asking.negotiate, JOB),
            AT_ONCE,
            alone_in(runner, asking.negotiate, JOB),
            note=_NOTES[side],
            processes=_PROCESSES[side],
        ),
    ]


if __name__ == "__main__":
    main()
