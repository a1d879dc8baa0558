"""`caxton.client.calls.runtime_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from caxton.store.ledger import Ledger
from caxton.sync.connection import Connection
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

    def restart(self) -> None:
        """Begin to restart the workers one after the other; `health` shows how far it is. Durable messages are kept.

        Raises ConfigurationError while a restart is under way.
        """
        return self._run(self._client.restart())

    def ledger(self) -> Ledger:
        """Return the books of the durable lane, of each shard and in all, and what does not balance in them.

        Raises ShardUnavailable, NetworkError or Timeout when a shard does not tell its books.
        """
        return self._run(self._client.ledger())
