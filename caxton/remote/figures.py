"""The runtime as a whole, from another machine: health, figures, the ledger, its workers."""

from typing import Any

import msgspec

from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.errors import Unsupported
from caxton.remote.connection import RemoteConnection
from caxton.store.ledger import Figures, Ledger
from caxton.wire.supervision import AskHealth, AskSettings, AskStats, ChangeSettings, SupervisorRequest


class _Stats(msgspec.Struct, frozen=True):
    runtime: dict[str, Any]


class _Ledger(msgspec.Struct, frozen=True):
    all: Figures
    shards: dict[str, Figures]


class RemoteFigures(RemoteConnection, RuntimeCalls):
    """Every call raises what the one of the same name of `caxton.Client` does."""

    async def ledger(self) -> Ledger:
        """Return the books of the durable lane, of each shard and in all, and what does not balance in them."""
        told = await self._gateway().get("/v1/ledger", _Ledger)
        return Ledger(told.all, {int(shard): figures for shard, figures in told.shards.items()})

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
            return await self._gateway().patch("/v1/config", dict[str, Any], {"settings": question.values})
        raise Unsupported(f"{type(question).__name__}, from another machine", "ask it where the runtime serves")
