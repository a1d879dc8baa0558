"""A contract net for each row of a table. What came of it is held to a computation that knows nothing of agents."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.client.client import Client
from caxton.client.interactions.contract_net import ContractResult, Outcome
from caxton.demo.carriers import SANDBOXED, TARIFFS, Books, Market, open_market
from caxton.demo.freight import Job, award, jobs_of
from caxton.errors import CaxtonError, ValidationError

# Negotiations at a time, unless told otherwise.
AT_ONCE = 64
DURABLE = DeliveryOptions(reliability="at_least_once")
_AWARDED = (Outcome.AWARDED, Outcome.AWARDED_AFTER_TIE)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class MarketReport:
    """What came of a market.

    rows: jobs. contracts: those that were awarded and carried. nobody: those that no carrier does. agrees: rows whose
    winner and price are those of the plain computation. lost: contracts that are missing in the books of the carriers,
    or there twice. by_carrier: contracts of each. disagreeing: lines of the table that do not agree, ten at most.
    story: the negotiation with the most proposals, step by step.
    """

    rows: int
    contracts: int
    nobody: int
    agrees: int
    lost: int
    seconds: float
    workers: int
    restarted: int
    by_carrier: dict[str, int]
    disagreeing: tuple[int, ...]
    story: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """Return it as `-o json` prints it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass
class _Tally:
    """What is known so far."""

    contracts: int = 0
    nobody: int = 0
    agrees: int = 0
    by_carrier: Counter[str] = field(default_factory=Counter)
    earned: Counter[str] = field(default_factory=Counter)
    disagreeing: list[int] = field(default_factory=list)
    told: tuple[Job, ContractResult] | None = None


_MOST_DISAGREEING = 10


async def trade(
    client: Client, path: Path, advance: Advance, *, at_once: int = AT_ONCE, deadline_s: float = 30.0
) -> MarketReport:
    """Negotiate each row of a table; `advance` is told of rows that are done.

    Raises StorageError and ValidationError for a table that cannot be read, NetworkError when the runtime is gone.
    """
    jobs = [*jobs_of(path)]
    if not jobs:
        raise ValidationError(str(path), "it has no rows")
    before = (await client.health()).workers
    tally, started = _Tally(), monotonic()
    async with open_market(client) as market:
        waiting = iter(jobs)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(at_once, len(jobs))):
                tasks.create_task(_negotiate(client, market, waiting, tally, advance, deadline_s))
        seconds = monotonic() - started
        books = await market.books(client)
        after = (await client.health()).workers
    return MarketReport(
        rows=len(jobs),
        contracts=tally.contracts,
        nobody=tally.nobody,
        agrees=tally.agrees,
        lost=_lost(tally, books),
        seconds=seconds,
        workers=len(after),
        restarted=sum(worker.incarnation != was.incarnation for worker, was in zip(after, before, strict=True)),
        by_carrier={short: tally.by_carrier[short] for short in TARIFFS},
        disagreeing=tuple(sorted(tally.disagreeing)[:_MOST_DISAGREEING]),
        story=_story(market, *tally.told) if tally.told else (),
    )


async def _negotiate(
    client: Client, market: Market, jobs: Iterator[Job], tally: _Tally, advance: Advance, deadline_s: float
) -> None:
    """Negotiate one job after the other, beside others that take from the same jobs."""
    for job in jobs:
        result = await client.contract_net(job.content, market.capable, deadline_s=deadline_s, options=DURABLE)
        _note(market, job, result, tally)
        advance(1)


def _note(market: Market, job: Job, result: ContractResult, tally: _Tally) -> None:
    winner = market.shorts.get(result.winner) if result.winner is not None else None
    expected = award(job, [*TARIFFS.values()])
    found = None
    if winner is not None and result.outcome in _AWARDED and result.result is not None:
        found = [*TARIFFS].index(winner), int(result.result.content)
        tally.contracts += 1
        tally.by_carrier[winner] += 1
        tally.earned[winner] += found[1]
    elif result.outcome is Outcome.NO_PROPOSALS:
        tally.nobody += 1
    if found == expected:
        tally.agrees += 1
    elif len(tally.disagreeing) < _MOST_DISAGREEING:
        tally.disagreeing.append(job.line)
    if tally.told is None or len(result.proposals) > len(tally.told[1].proposals):
        tally.told = job, result


def _lost(tally: _Tally, books: dict[str, Books]) -> int:
    """Return how many contracts the carriers do not know, or know twice; what they earned shows which were mixed up."""
    missing = sum(abs(books[short].contracts - tally.by_carrier[short]) for short in TARIFFS)
    return missing or sum(books[short].earned != tally.earned[short] for short in TARIFFS)


def _story(market: Market, job: Job, result: ContractResult) -> tuple[str, ...]:
    """Tell one negotiation, a step a line."""
    said = [f"{job.title} (line {job.line} of the table)", f"cfp to {len(TARIFFS)} carriers"]
    said += [f"{_who(market, proposal)} proposes {int(proposal.content):,}" for proposal in result.proposals]
    for answer in result.refusals.values():
        if isinstance(answer, CaxtonError):
            said.append(f"nothing came of one: {answer}")
        else:
            text = answer.content.decode(errors="backslashreplace")
            said.append(f"{_who(market, answer)} says {answer.performative.act}: {text}")
    if result.proposal is not None:
        others = len(result.proposals) - 1
        said.append(f"accept-proposal to {_who(market, result.proposal)}, reject-proposal to {others} others")
    if result.result is not None:
        price = int(result.result.content)
        said.append(f"{_who(market, result.result)} informs: it is carried, for {price:,}")
    return tuple(said)


def _who(market: Market, message: Message) -> str:
    """Return whose message this is, and what kind of agent that is."""
    short = market.shorts[message.sender] if message.sender is not None else ""
    return f"{short} ({'a sandbox' if short in SANDBOXED else 'Python'})"
