"""Agents in circles, with mailboxes of one: many of them, and two whose shard dies again and again."""

import asyncio
import time
from functools import partial
from itertools import count

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.agents.deployment import Deployment
from caxton.agents.limits import Limits
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable
from faultlab.cases.kills import close
from faultlab.cast import circle_module, tally_module
from faultlab.lab import Lab
from faultlab.row import Row, Show

# Agents of one run, tokens that go round all of them once, on each lane, and how long all of that may take.
_AGENTS, _TOKENS, _ROUND_TIMEOUT_S = 1_000, 20, 300.0
# Hops of a chain over a shard that is killed meanwhile, once for every so many.
_HOPS, _CHAIN_TIMEOUT_S = 3_000, 120.0
_TINY = Limits(mailbox_capacity=1, max_execution_ms=10_000)


def circle(runs: int, show: Show) -> Row:
    """Let tokens go round a circle of 1,000 agents for each run, on both lanes: each ends by name, after one round."""
    row, size = Row("11d", "a circle of agents, mailboxes of one, a neighbour beside it", runs), _AGENTS * runs
    with Lab(recording=False) as lab:
        lab.ask(_deploy, "circle", size)
        neighbours = [lab.ask(_neighbour, lab.shards, shard) for shard in range(lab.shards)]
        for number, lane in enumerate(Lane):
            show(number * runs / 2, f"{size:,} agents, {lane.name.lower()}")
            before, began_s = lab.ask(_ended), time.monotonic()
            lab.ask(_begin, "circle", range(0, size, size // _TOKENS), lane, size)
            lab.until(partial(lab.ask, _has_ended, before + _TOKENS, neighbours), "all ended", _ROUND_TIMEOUT_S)
            row.notes[f"ms, {lane.name.lower()}"] = round(1_000 * (time.monotonic() - began_s))
            ended = lab.ask(_ended) - before
            row.acknowledged += _TOKENS
            row.double += max(0, ended - _TOKENS)
        waited = lab.ask(_resting, size + lab.shards)
        row.claim(not waited, f"{waited:,} agents of the circle were never reached")
        row.claim((ledger := lab.ledger()).balanced, f"the ledger does not balance: {ledger}")
        row.claim(not lab.ask(_left), "something waits though all has ended")
    return row


def chain(runs: int, show: Show) -> Row:
    """Kill one of two workers, over both of which a durable chain goes: it goes on, ends by name, and others go on."""
    row = Row("11e", "a chain over a shard that is killed again and again", runs)
    with Lab() as lab:
        prefix = lab.ask(_apart, lab.shards)
        lab.ask(_deploy, prefix, 2)
        writer = lab.start_writer(window=1, pause_s=_PAUSE_S)
        for run in range(runs):
            show(run, f"kill {run + 1} of {runs}")
            before = lab.ask(_letters)
            lab.ask(_begin, prefix, [0], Lane.DURABLE, _HOPS)
            time.sleep(_LIFE_S)
            killed_ns = lab.served.kill_worker(1)
            row.recoveries_s.append(lab.acknowledged_after(writer, killed_ns, 1))
            lab.until(partial(lab.ask, _is_over, before), "the chain has ended", _CHAIN_TIMEOUT_S)
            row.claim(lab.ask(_letters) == before + 1, f"run {run + 1}: a chain ended more than once")
        close(lab, row, writer)
    return row


# The load beside the chain is light: a chain that waits for others' commits is no better tried.
_PAUSE_S = 0.05
# A worker lives for a second: after shorter lives the restart policy waits on purpose.
_LIFE_S = 1.1


async def _deploy(client: Client, prefix: str, size: int) -> None:
    wasm = circle_module(prefix, size)
    names = [f"{prefix} {number:05}" for number in range(size)]
    for result in await client.deploy_many([Deployment(name, wasm, "msgpack", limits=_TINY) for name in names]):
        if isinstance(result, CaxtonError):
            raise result


async def _neighbour(client: Client, shards: int, shard: int) -> AgentId:
    table = SlotTable.even(shards)
    name = next(n for c in count() if table.shard_of(client.id_of(n := f"neighbour-{c}")) == shard)
    return await client.deploy(name, tally_module())


async def _apart(client: Client, shards: int) -> str:
    """Return a prefix of a circle of two whose members are on two shards, the second one on shard 1."""
    table = SlotTable.even(shards)

    def shard_of(prefix: str, number: int) -> int:
        return table.shard_of(client.id_of(f"{prefix} {number:05}"))

    return next(p for c in count() if (shard_of(p := f"chain-{c}", 0), shard_of(p, 1)) == (0, 1))


async def _begin(client: Client, prefix: str, numbers: range | list[int], lane: Lane, hops: int) -> None:
    """Let a token begin at each of these agents, for so many hops. Raises the error of one that did not enter."""
    options = DeliveryOptions(reliability=lane.reliability, max_hops=hops, timeout_ms=300_000)
    messages = [
        Message(client.id_of(f"{prefix} {number:05}"), number.to_bytes(4, "little"), delivery_options=options)
        for number in numbers
    ]
    for result in await client.send_batch(messages, timeout_s=_ROUND_TIMEOUT_S):
        if isinstance(result, CaxtonError):
            raise result


async def _ended(client: Client) -> int:
    """Return how many tokens had no hops left."""
    return sum(int(worker["over_hops"]) for worker in (await client.stats()).workers)


async def _has_ended(client: Client, wanted: int, neighbours: list[AgentId]) -> bool:
    """Ask the neighbours, who must answer meanwhile, and look whether all tokens have ended."""
    async with asyncio.timeout(_CHAIN_TIMEOUT_S):
        for result in await client.request_many([Message(neighbour, b"") for neighbour in neighbours]):
            if isinstance(result, CaxtonError):
                raise result
    return await _ended(client) >= wanted


async def _letters(client: Client) -> int:
    """Return how many chains have ended by name."""
    return (await client.dead_letter_stats()).messages_by_reason.get("hop_limit", 0)


async def _is_over(client: Client, before: int) -> bool:
    return await _letters(client) > before


async def _resting(client: Client, size: int) -> int:
    """Return how many of so many agents have no instance, so that no message ever reached them."""
    return max(0, size - sum([int(worker["instances"]) for worker in (await client.stats()).workers]))


async def _left(client: Client) -> int:
    """Return what waits anywhere."""
    gauges = ("queued", "pending", "effects", "backlog", "on_disk")
    return sum(int(worker[name]) for worker in (await client.stats()).workers for name in gauges)
