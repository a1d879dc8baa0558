"""Waiting until every word was counted, by what the agents say themselves: their states, which outlive a crash."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from caxton.acl.message import Message
from caxton.acl.options import MAX_TIMEOUT_MS, DeliveryOptions, Level
from caxton.client.client import Client
from caxton.demo.cast import Cast, check_splitters, failure_of
from caxton.demo.report import Report, question
from caxton.demo.totals import QUESTION, Totals
from caxton.errors import CaxtonError, InvalidMessageFormat, NetworkError, ShardUnavailable, Timeout
from caxton.ids import AgentId

LOOK_EVERY_S = 0.02
# How long a worker may take to come back, and how long nothing may get any further.
RETURN_TIMEOUT_S, STALL_TIMEOUT_S = 60.0, 60.0
ANSWER_TIMEOUT_S = 10.0
ASKED_AT_ONCE = 256
# A question goes before the words that wait, and waits as long as they may.
_QUESTION = DeliveryOptions(reliability="at_most_once", timeout_ms=MAX_TIMEOUT_MS, priority=Level.HIGH)
# What a question meets while a worker is being restarted. Asking again does no harm.
_UNREACHED = (NetworkError, ShardUnavailable, Timeout)


class Tally(NamedTuple):
    """How far it is: turns of the splitters, texts they came to the end of, words they sent, words counted."""

    turns: int = 0
    texts: int = 0
    words: int = 0
    counted: int = 0

    def complete(self, texts: int) -> bool:
        """Return whether every word of `texts` texts is counted; raises InvalidMessageFormat for more than that."""
        if self.texts > texts or (self.texts == texts and self.counted > self.words):
            problem = f"{self.counted} words counted of {self.words}, in {self.texts} texts of {texts}"
            raise InvalidMessageFormat("totals", problem)
        return self.texts == texts and self.counted == self.words


async def all_counted(client: Client, cast: Cast, texts: int) -> Tally:
    """Return when every word of the texts that were sent is counted.

    Raises what an agent failed with, and Timeout when nothing gets any further for a minute.
    """
    seen = Tally()
    deadline = monotonic() + STALL_TIMEOUT_S
    while True:
        began = monotonic()
        tally = await _look(client, cast, texts)
        if tally.complete(texts):
            return tally
        with suppress(*_UNREACHED):
            await check_splitters(client, cast)
        if tally != seen:
            seen, deadline = tally, monotonic() + STALL_TIMEOUT_S
        elif monotonic() > deadline:
            raise Timeout(f"waiting for {tally.words - tally.counted} words to be counted", STALL_TIMEOUT_S)
        await asyncio.sleep(max(LOOK_EVERY_S, monotonic() - began))


async def _look(client: Client, cast: Cast, texts: int) -> Tally:
    totals = [_totals(splitter, content) for splitter, content in await _ask(client, cast.splitters, QUESTION)]
    for each in totals:
        if each.failures:
            raise failure_of(each, cast)
    done = Tally(sum(t.turns for t in totals), sum(t.texts for t in totals), sum(t.words for t in totals))
    if done.texts < texts:
        return done
    return done._replace(counted=sum(report.total for report in await reports(client, cast.counters, 0)))


async def reports(client: Client, counters: Sequence[AgentId], top: int) -> list[Report]:
    """Return what each counter says of its words."""
    found = []
    for counter, content in await _ask(client, counters, question(top)):
        try:
            found.append(Report.parse(content))
        except InvalidMessageFormat as error:
            raise InvalidMessageFormat(f"answer of agent {counter}", error.problem) from None
    return found


def _totals(splitter: AgentId, content: bytes) -> Totals:
    try:
        return Totals.parse(content)
    except InvalidMessageFormat as error:
        raise InvalidMessageFormat(f"answer of agent {splitter}", error.problem) from None


async def _ask(client: Client, agents: Sequence[AgentId], content: bytes) -> list[tuple[AgentId, bytes]]:
    """Return what agents answer to the same question; whoever cannot be reached is asked again for a minute."""
    answers: list[tuple[AgentId, bytes]] = []
    waiting = list(agents)
    deadline = monotonic() + RETURN_TIMEOUT_S
    while waiting:
        asked, waiting = waiting[:ASKED_AT_ONCE], waiting[ASKED_AT_ONCE:]
        questions = [Message(agent, content, delivery_options=_QUESTION) for agent in asked]
        unreached: CaxtonError | None = None
        for agent, reply in zip(asked, await client.request_many(questions, timeout_s=ANSWER_TIMEOUT_S), strict=True):
            if isinstance(reply, Message):
                answers.append((agent, reply.content))
            elif isinstance(reply, _UNREACHED):
                waiting.append(agent)
                unreached = reply
            else:
                raise reply
        if unreached is not None:
            if monotonic() > deadline:
                raise unreached
            await asyncio.sleep(LOOK_EVERY_S)
    return answers
