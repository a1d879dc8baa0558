"""The runtime as a whole, from another machine: health, figures, the ledger, its workers, who is busy with whom."""

from typing import Any

import msgspec

from caxton.client.calls.arguments import check_whole
from caxton.client.calls.call_graph_calls import CallGraphCalls, checked_over_s
from caxton.client.calls.runtime_calls import RuntimeCalls, checked_by
from caxton.errors import NetworkError, ParseError, Unsupported
from caxton.forms.call_graph_form import CallGraphForm
from caxton.ids import AgentId
from caxton.remote.connection import RemoteConnection
from caxton.store.ledger import Figures, Ledger
from caxton.wire.busy import MAX_BUSIEST, Busiest, BusyAgent
from caxton.wire.call_graph import MAX_PAIRS, CallGraph
from caxton.wire.supervision import AskHealth, AskSettings, AskStats, ChangeSettings, SupervisorRequest


class _Stats(msgspec.Struct, frozen=True):
    runtime: dict[str, Any]


class _Ledger(msgspec.Struct, frozen=True):
    all: Figures
    shards: dict[str, Figures]


class _Busy(msgspec.Struct, frozen=True):
    agent_id: str
    name: str
    shard: int
    state: str
    turns_per_s: float
    failures_per_s: float
    time_share: float
    queued: int
    turns: int
    failures: int

    def agent(self) -> BusyAgent:
        values = msgspec.structs.asdict(self)
        return BusyAgent(**(values | {"agent_id": int(AgentId.parse(self.agent_id))}))


class _Busiest(msgspec.Struct, frozen=True):
    agents: list[_Busy]
    over_ms: int
    total: int
    missing: list[int]


class RemoteFigures(RemoteConnection, RuntimeCalls, CallGraphCalls):
    """Every call raises what the one of the same name of `caxton.Client` does."""

    async def ledger(self) -> Ledger:
        """Return the books of the durable lane, of each shard and in all, and what does not balance in them."""
        told = await self._gateway().get("/v1/ledger", _Ledger)
        return Ledger(told.all, {int(shard): figures for shard, figures in told.shards.items()})

    async def busiest(self, by: str = "turns", limit: int = 20) -> Busiest:
        """Return the agents that are busiest now, at most 100, the busiest first."""
        check_whole("limit", limit, 1, MAX_BUSIEST)
        told = await self._gateway().get("/v1/busiest", _Busiest, {"by": checked_by(by).value, "limit": limit})
        try:
            agents = [one.agent() for one in told.agents]
        except ParseError as error:
            raise NetworkError(self._address.url, str(error)) from None
        return Busiest(agents, told.over_ms, told.total, told.missing)

    async def call_graph(self, limit: int = 100, *, over_s: float = 1.0) -> CallGraph:
        """Return who talks to whom: the pairs with most messages and failures, at most 500."""
        check_whole("limit", limit, 1, MAX_PAIRS)
        asked = {"limit": limit, "over_s": checked_over_s(over_s)}
        told = await self._gateway().get("/v1/call-graph", CallGraphForm, asked)
        try:
            return told.graph()
        except ParseError as error:
            raise NetworkError(self._address.url, str(error)) from None

    async def restart(self, shard: int | None = None) -> None:
        """Begin to restart the workers one after the other, or one; `health` shows how far it is."""
        which = "" if shard is None else f"/{shard}"
        await self._gateway().post(f"/v1/workers{which}/restart", type(None))

    async def _told(self, question: SupervisorRequest) -> dict[str, Any]:
        if isinstance(question, AskHealth):
            return await self._gateway().get("/v1/health", dict[str, Any])
        if isinstance(question, AskStats):
            return (await self._gateway().get("/v1/stats", _Stats)).runtime
        if isinstance(question, AskSettings):
            return await self._gateway().get("/v1/config", dict[str, Any])
        if isinstance(question, ChangeSettings):
            seen = {"If-Match": f'"{question.tag}"'} if question.tag else {}
            return await self._gateway().patch("/v1/config", dict[str, Any], {"settings": question.values}, seen)
        raise Unsupported(f"{type(question).__name__}, from another machine", "ask it where the runtime serves")
