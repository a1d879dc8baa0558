"""`caxton.client.calls.kept_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterator

from caxton.client.connection import Agent
from caxton.ids import MessageId
from caxton.sync.connection import Connection
from caxton.wire.kept import KeptMessage


class KeptCalls(Connection):
    """Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer."""

    def message(self, message_id: MessageId | str, *, with_content: bool = True) -> KeptMessage:
        """Return a message by its id, and where it is: it waits, is tried again, is under way or dead.

        Raises MessageNotFound when no shard keeps it: then it was handled, or there never was one. All shards are
        asked, one after the other; a message that goes from one to another meanwhile may be missed.
        """
        return self._run(self._client.message(message_id, with_content=with_content))

    def waiting(
        self,
        agent: Agent,
        *,
        after: KeptMessage | str | None = None,
        limit: int | None = None,
        with_content: bool = False,
    ) -> Iterator[KeptMessage]:
        """Yield the messages that wait for an agent, on either lane; with content if asked.

        Those in memory come first, in the order of their ids, and then the rest of them in the order in which they
        stand in the file; what goes from here to there meanwhile may be missed. after: goes on behind this one, or its
        `cursor`, where an earlier call ended. limit: at most so many. Raises AgentNotFound.
        """
        return self._iterated(self._client.waiting(agent, after=after, limit=limit, with_content=with_content))
