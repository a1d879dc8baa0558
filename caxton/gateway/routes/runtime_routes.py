"""The runtime as a whole: health, figures, the ledger, its workers."""

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import PathParameter

from caxton.gateway.caller import Caller
from caxton.placement.slot_table import MAX_WORKERS
from caxton.store.ledger import Figures
from caxton.tokens.role import Role
from caxton.wire.told import ConversationStats, DeadLetterStats, Health, RouterStats, WorkerHealth


class GatewayStats(msgspec.Struct, frozen=True):
    """What this gateway did since it started, and has: docs/http.md says what each is."""

    requests: dict[str, int]
    refused: dict[str, int]
    cut_off: dict[str, int]
    hung_up: int
    unasked: int
    under_way: int
    streams: int
    body_bytes: int
    bid_bytes: int
    clients: int


class Stats(msgspec.Struct, frozen=True):
    """What the runtime did, has and lost in this run, and its gateway."""

    runtime: RouterStats
    dead_letters: DeadLetterStats
    conversations: ConversationStats
    gateway: GatewayStats


class LedgerForm(msgspec.Struct, frozen=True):
    """The books of the durable lane: of all shards, and of each, by its number."""

    balanced: bool
    problems: list[str]
    all: Figures
    shards: dict[str, Figures]


class Workers(msgspec.Struct, frozen=True):
    """workers: of every shard. restarting: shards whose planned restart is to come."""

    workers: list[WorkerHealth]
    restarting: list[int]


@get("/v1/health", summary="Whether all is well, and why not", tags=["runtime"])
async def whole_health(caller: Caller) -> Health:
    """Return what `caxton health -o json` prints."""
    caller.may(Role.VIEWER)
    return await caller.house.vitals.health()


@get("/v1/stats", summary="Figures of this run", tags=["runtime"])
async def stats(caller: Caller) -> Stats:
    """Return what `caxton stats -o json` prints, of dead letters and conversations too, and of the gateway."""
    caller.may(Role.VIEWER)
    house, counts = caller.house, caller.house.counts
    async with caller.client() as client:
        return Stats(
            await client.stats(),
            await client.dead_letter_stats(),
            await client.conversation_stats(),
            GatewayStats(
                {str(int(status)): count for status, count in counts.answered.items()},
                dict(counts.refused),
                dict(counts.cut_off),
                counts.hung_up,
                counts.unasked,
                counts.under_way,
                counts.streams,
                counts.body_bytes,
                house.clients.bid_bytes,
                len(house.clients),
            ),
        )


@get("/v1/ledger", summary="The books of the durable lane", tags=["runtime"])
async def ledger(caller: Caller) -> LedgerForm:
    """Account for every message of the durable lane, ever."""
    caller.may(Role.VIEWER)
    async with caller.client() as client:
        found = await client.ledger()
    shards = {str(shard): figures for shard, figures in sorted(found.shards.items())}
    return LedgerForm(found.balanced, list(found.whole.problems), found.whole, shards)


@get("/v1/workers", summary="List the workers", tags=["runtime"])
async def workers(caller: Caller) -> Workers:
    """Return every shard's worker."""
    caller.may(Role.VIEWER)
    health = await caller.house.vitals.health()
    return Workers(health.workers, health.restarting)


@post("/v1/workers/restart", summary="Restart the workers", tags=["runtime"], status_code=202)
async def restart_workers(caller: Caller) -> None:
    """Begin to restart them, one after the other; /v1/workers says how far it is."""
    caller.may(Role.OPERATOR)
    async with caller.client() as client:
        await client.restart()
    await caller.house.vitals.forget()


@post("/v1/workers/{shard:int}/restart", summary="Restart a worker", tags=["runtime"], status_code=202)
async def restart_worker(
    caller: Caller,
    shard: Annotated[int, PathParameter(ge=0, lt=MAX_WORKERS, description="The shard that it owns.")],
) -> None:
    """Begin to restart one worker; one that was given up is tried again."""
    caller.may(Role.OPERATOR)
    async with caller.client() as client:
        await client.restart(shard)
    await caller.house.vitals.forget()


ROUTES: list[Any] = [restart_worker, whole_health, stats, ledger, workers, restart_workers]
