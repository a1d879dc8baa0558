"""`caxton.client.calls.conversation_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterator
from functools import partial

from caxton.client.calls.conversation_calls import Named
from caxton.client.connection import Agent
from caxton.conversations.view import ConversationView
from caxton.ids import ConversationId
from caxton.sync.connection import Connection
from caxton.wire.told import ConversationStats


class ConversationCalls(Connection):
    """A conversation is named by its id, the text of it, or the view of it.

    Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer, and ValidationError for
    what can be no conversation, agent or state.
    """

    def new_conversation(self) -> ConversationId:
        """Return an id that no conversation has. It begins with the first message that carries it.

        In a conversation of it nobody speaks but this client and whom one of those in it wrote to.
        """
        return self._made(partial(self._client.new_conversation))

    def conversation(self, conversation: Named, *, with_history: bool = True) -> ConversationView:
        """Return a conversation with its last messages; raises ConversationNotFound when no shard knows it.

        Where several have opened one under the same id, it is that of the client that made the id, or else the first;
        given a view, it is that of the same initiator.
        """
        return self._run(self._client.conversation(conversation, with_history=with_history))

    def conversations(
        self,
        *,
        agent: Agent | None = None,
        state: str | None = None,
        limit: int | None = None,
        after: Named | None = None,
    ) -> Iterator[ConversationView]:
        """Yield conversations in the order of their ids, which is mostly that of their beginnings, without histories.

        agent: those that it takes part in. state: initiated, in progress, completed, failed or expired. limit: at most
        so many. after: those behind this one. What begins or is forgotten meanwhile may be there or not.
        """
        return self._iterated(self._client.conversations(agent=agent, state=state, limit=limit, after=after))

    def conversation_stats(self) -> ConversationStats:
        """Return how many conversations there are in all shards, how long they are, and how many take part.

        Each is counted where it was seen to begin: twice, where a client began it with agents of two shards.
        """
        return self._run(self._client.conversation_stats())

    def resume_conversation(self, conversation: Named, *, timeout_s: int | None = None) -> ConversationView:
        """Let a conversation go on: one that expired or was stopped, or one whose time is to begin anew.

        timeout_s: for how long from now, in seconds; otherwise for as long as it could last before. What it is limited
        to besides begins anew. Raises ConversationNotFound when no shard knows it.
        """
        return self._run(self._client.resume_conversation(conversation, timeout_s=timeout_s))
