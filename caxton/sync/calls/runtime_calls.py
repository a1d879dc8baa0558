"""`caxton.client.calls.runtime_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Mapping, Sequence

from caxton.config.setting import Setting
from caxton.store.ledger import Ledger
from caxton.sync.connection import Connection
from caxton.wire.busy import Busiest
from caxton.wire.told import Health, RouterStats


class RuntimeCalls(Connection):
    """Asks the supervisor, and every shard."""

    def stats(self) -> RouterStats:
        """Return what this run did, has and lost, as `caxton stats -o json` prints it.

        Raises NetworkError, Timeout; InvalidMessageFormat when the runtime is of a version that tells something else.
        """
        return self._run(self._client.stats())

    def health(self) -> Health:
        """Return whether everything is well, and why not, as `caxton health -o json` prints it.

        Raises what `stats` raises.
        """
        return self._run(self._client.health())

    def busiest(self, by: str = "turns", limit: int = 20) -> Busiest:
        """Return the agents that are busiest now, of all shards, at most 100, the busiest first.

        by: "turns", "time" (that these took), "failures" or "mailbox" (what waits). What they did is told for a second
        of the time between the last two looks at a shard, whoever asked for these: ask twice, a second apart. A shard
        that does not serve is one of `missing`. Raises ValidationError, NetworkError, Timeout.
        """
        return self._run(self._client.busiest(by, limit))

    def restart(self, shard: int | None = None) -> None:
        """Begin to restart the workers one after the other; `health` shows how far it is. Durable messages are kept.

        shard: this one's worker alone. Raises ConfigurationError while a restart of all is under way, ValidationError
        for a shard that there is not.
        """
        return self._run(self._client.restart(shard))

    def settings(self) -> list[Setting]:
        """Return what the runtime is told, as `caxton config show --effective` prints it, and what may be changed."""
        return self._run(self._client.settings())

    def change_settings(
        self, values: Mapping[str, str | float | bool | None], *, seen: Sequence[Setting] | None = None
    ) -> list[Setting]:
        """Change settings, by their keys, until the runtime ends; returns all as they are then.

        Those that are `changeable`: runtime.log_level and runtime.log_levels (of all processes, within a second or so),
        runtime.worker_memory_limit_mib. None is what holds where nobody sets it. Raises ValidationError for what is no
        setting or cannot be its value, ConfigurationError for one that does not change: then nothing was changed. seen:
        what `settings` returned; where somebody has changed something since, ConfigurationError is raised.
        """
        return self._run(self._client.change_settings(values, seen=seen))

    def ledger(self) -> Ledger:
        """Return the books of the durable lane, of each shard and in all, and what does not balance in them.

        Raises ShardUnavailable, NetworkError or Timeout when a shard does not tell its books.
        """
        return self._run(self._client.ledger())
