"""The bidders of the market demo: carriers in sandboxes, and carriers in Python, with a tariff each."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

import caxton.guests
from caxton.acl.message import Message
from caxton.agents.deployment import Deployment
from caxton.client.client import Client
from caxton.client.hosting.definition import agent
from caxton.demo.freight import Tariff
from caxton.errors import CaxtonError
from caxton.ids import AgentId
from caxton.wire.calls import AgentView

CARRIER_WASM = Path(caxton.guests.__file__).parent / "carrier.wasm"
# `twin` asks what `north` does: of equals the first wins.
SANDBOXED = {
    "north": Tariff(2_500, 9, 3, 2_500, 8_000),
    "alpine": Tariff(900, 10, 4, 1_200, 7_500),
    "baltic": Tariff(4_000, 8, 3, 4_000, 3_000),
    "courier": Tariff(300, 9, 20, 3_000, 60),
    "heavy": Tariff(30_000, 9, 1, 3_000, 12_000),
    "twin": Tariff(2_500, 9, 3, 2_500, 8_000),
}
IN_PYTHON = {
    "swift": Tariff(100, 9, 90, 1_500, 12),
    "meridian": Tariff(6_000, 6, 3, 6_000, 1_000),
    "local": Tariff(400, 10, 5, 600, 2_000),
}
TARIFFS = {**SANDBOXED, **IN_PYTHON}
# What they all can do. Beside it each has the name of its run, so that two runs do not ask each other's.
FREIGHT = "freight"


class Asked(msgspec.Struct):
    """What a carrier reads of a call for proposals."""

    km: int
    kg: int


class Carrier:
    """A carrier as `caxton/guests/carrier.c` is one, in Python. Its books are this program's memory."""

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self.contracts = 0
        self.earned = 0

    async def on_cfp(self, message: Message) -> Message:
        """Propose a price, or refuse."""
        job = msgspec.json.decode(message.content, type=Asked)
        price = self.tariff.price(job.km, job.kg)
        if price is None:
            return message.reply(b"not for me", performative="refuse")
        return message.reply(b"%d" % price, performative="propose")

    async def on_accept_proposal(self, message: Message) -> bytes:
        """Carry it."""
        self.contracts += 1
        self.earned += int(message.content)
        return message.content

    async def on_reject_proposal(self, message: Message) -> None:
        """Carry nothing."""

    async def on_query_ref(self, message: Message) -> bytes:  # noqa: ARG002 (what is asked is always the same)
        """Tell the books."""
        return msgspec.json.encode(Books(self.contracts, self.earned))


class Books(msgspec.Struct, frozen=True):
    """What a carrier has carried, and what it earned by it, in cents."""

    contracts: int
    earned: int


@dataclass(frozen=True)
class Market:
    """The carriers of one run, in the order of TARIFFS.

    names: what each is called in the runtime, by its short name. shorts: its short name, by its id. capable: those that
    the runtime finds by what they can do.
    """

    names: dict[str, str]
    shorts: dict[AgentId, str]
    capable: tuple[AgentId, ...] = ()

    async def books(self, client: Client) -> dict[str, Books]:
        """Ask every carrier what it has carried. Raises what a request does, DecodeError for no books."""
        books = {}
        for short, name in self.names.items():
            answer = await client.request(name, b"", performative="query-ref", timeout_s=30)
            books[short] = msgspec.json.decode(answer.content, type=Books)
        return books


@asynccontextmanager
async def open_market(client: Client) -> AsyncIterator[Market]:
    """Have the carriers bid, under names that no other run has, and remove them at the end, whatever happens."""
    run = f"market-{secrets.token_hex(6)}"
    names = {short: f"{run}-{short}" for short in TARIFFS}
    market = Market(names, {client.id_of(name): short for short, name in names.items()})
    can = (FREIGHT, run)
    deployments = [
        Deployment(market.names[short], CARRIER_WASM, encoding="msgpack", capabilities=can) for short in SANDBOXED
    ]
    carriers = [agent(market.names[short], capabilities=can)(Carrier(tariff)) for short, tariff in IN_PYTHON.items()]
    try:
        _check(await client.deploy_many(deployments))
        tariffs = [Message(client.id_of(market.names[short]), tariff.content) for short, tariff in SANDBOXED.items()]
        _check(await client.send_batch(tariffs))
        async with client.host(*carriers):
            yield _in_order(market, await client.find(*can))
    finally:
        with suppress(CaxtonError):  # what went wrong first is what matters
            await client.remove_many([*names.values()])


def _in_order(market: Market, found: Sequence[AgentView]) -> Market:
    """Return the market with whom the runtime found, as they stand in TARIFFS: of equals the first wins."""
    capable = {view.id for view in found}
    return replace(market, capable=tuple(agent_id for agent_id in market.shorts if agent_id in capable))


def _check(results: Sequence[object]) -> None:
    for result in results:
        if isinstance(result, CaxtonError):
            raise result
