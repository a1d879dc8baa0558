"""`caxton.client.calls.watch_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterator

from caxton.client.calls.conversation_calls import Named
from caxton.client.connection import Agent
from caxton.sync.connection import Connection
from caxton.wire.watching import WatchedMessage


class WatchCalls(Connection):
    """`watch`."""

    def watch(
        self, agent: Agent | None = None, *, conversation: Named | None = None, with_content: bool = False
    ) -> Iterator[WatchedMessage]:
        """Yield the messages of an agent, or of a conversation, as they go by; those of one shard in their order.

        The first that is yielded is a note that it is watched from here on. with_content: the first 4 KiB of contents
        too. Of what nobody has asked for yet a shard keeps the last 1,000 messages, up to 1 MiB; a note says how many
        are missing, or that a worker was restarted. A message that was refused is yielded once more, with its `error`.

        It ends with the block of the client, or with the error when a shard does not answer, or has no room for the
        question, for a minute. Raises AgentNotFound, also when the agent is removed, ResourceExhausted for the ninth
        watch of a client on a shard, and ValidationError unless just one of agent and conversation is given.
        """
        return self._iterated(self._client.watch(agent, conversation=conversation, with_content=with_content))
