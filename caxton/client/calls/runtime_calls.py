"""What a client asks about the runtime as a whole: stats, health, the ledger, a rolling restart."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from caxton.client.calls.arguments import check_whole
from caxton.client.connection import Connection
from caxton.config.setting import Setting, tag_of
from caxton.errors import ShardUnavailable, ValidationError
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import shown
from caxton.store.ledger import Ledger, check
from caxton.wire.busy import MAX_BUSIEST, AskBusiest, Busiest, BusyBy, most_busy
from caxton.wire.calls import AskLedger
from caxton.wire.shard_ledger import ShardLedger
from caxton.wire.supervision import (
    Accepted,
    AskHealth,
    AskSettings,
    AskStats,
    ChangeSettings,
    RestartWorkers,
    SupervisorRequest,
    Told,
)
from caxton.wire.told import Health, RouterStats, read_told

# Looks at the books before they are said not to balance: messages between two shards move between two looks.
LEDGER_LOOKS = 3


class _Settings(msgspec.Struct, frozen=True):
    settings: list[Setting]


class RuntimeCalls(Connection):
    """Asks the supervisor, and every shard."""

    async def stats(self) -> RouterStats:
        """Return what this run did, has and lost, as `caxton stats -o json` prints it.

        Raises NetworkError, Timeout; InvalidMessageFormat when the runtime is of a version that tells something else.
        """
        return read_told(await self._told(AskStats()), RouterStats)

    async def health(self) -> Health:
        """Return whether everything is well, and why not, as `caxton health -o json` prints it.

        Raises what `stats` raises.
        """
        return read_told(await self._told(AskHealth()), Health)

    async def busiest(self, by: str = "turns", limit: int = 20) -> Busiest:
        """Return the agents that are busiest now, of all shards, at most 100, the busiest first.

        by: "turns", "time" (that these took), "failures" or "mailbox" (what waits). What they did is told for a second
        of the time between the last two looks at a shard, whoever asked for these: ask twice, a second apart. A shard
        that does not serve is one of `missing`. Raises ValidationError, NetworkError, Timeout.
        """
        chosen = checked_by(by)
        check_whole("limit", limit, 1, MAX_BUSIEST)
        question = AskBusiest(chosen, limit)
        calls = [self._call(shard, question, Busiest) for shard in range(self._open().shards)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        parts: list[Busiest] = []
        for shard, part in enumerate(told):
            if isinstance(part, ShardUnavailable):
                parts.append(Busiest([], 0, 0, [shard]))
            elif isinstance(part, BaseException):
                raise part
            else:
                parts.append(part)
        return most_busy(parts, chosen, limit)

    async def restart(self, shard: int | None = None) -> None:
        """Begin to restart the workers one after the other; `health` shows how far it is. Durable messages are kept.

        shard: this one's worker alone. Raises ConfigurationError while a restart of all is under way, ValidationError
        for a shard that there is not.
        """
        if shard is not None:
            check_whole("shard", shard, 0, MAX_WORKERS - 1)
        await self._ask(RestartWorkers(shard), Accepted)

    async def settings(self) -> list[Setting]:
        """Return what the runtime is told, as `caxton config show --effective` prints it, and what may be changed."""
        return read_told(await self._told(AskSettings()), _Settings).settings

    async def change_settings(
        self, values: Mapping[str, str | float | bool | None], *, seen: Sequence[Setting] | None = None
    ) -> list[Setting]:
        """Change settings, by their keys, until the runtime ends; returns all as they are then.

        Those that are `changeable`: runtime.log_level and runtime.log_levels (of all processes, within a second or so),
        runtime.worker_memory_limit_mib. None is what holds where nobody sets it. Raises ValidationError for what is no
        setting or cannot be its value, ConfigurationError for one that does not change: then nothing was changed. seen:
        what `settings` returned; where somebody has changed something since, ConfigurationError is raised.
        """
        tag = "" if seen is None else tag_of(seen)
        return read_told(await self._told(ChangeSettings(dict(values), tag)), _Settings).settings

    async def ledger(self) -> Ledger:
        """Return the books of the durable lane, of each shard and in all, and what does not balance in them.

        Raises ShardUnavailable, NetworkError or Timeout when a shard does not tell its books.
        """
        earlier = await self._shard_ledgers()
        for _ in range(LEDGER_LOOKS - 1):
            now = await self._shard_ledgers()
            ledger = check(now, earlier)
            if ledger.balanced:
                return ledger
            earlier = now
        return check(await self._shard_ledgers(), earlier)

    async def _shard_ledgers(self) -> list[ShardLedger]:
        """Return the books of every shard, all asked at once."""
        session = self._open()
        calls = [self._call(shard, AskLedger(), ShardLedger) for shard in range(session.shards)]
        ledgers: list[ShardLedger] = []
        for told in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(told, BaseException):
                raise told
            ledgers.append(told)
        return ledgers

    async def _told(self, question: SupervisorRequest) -> dict[str, Any]:
        return (await self._ask(question, Told)).values


def checked_by(by: str) -> BusyBy:
    """Return by what agents are the busiest. Raises ValidationError."""
    if by not in {*BusyBy}:
        raise ValidationError("by", f"{shown(by)} is not one of {', '.join(BusyBy)}")
    return BusyBy(by)
