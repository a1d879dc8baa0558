"""What a client asks about conversations. Each shard knows its part: all are asked, and what they say is joined."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from heapq import heapify, heappop, heapreplace

from caxton.acl.conversation_limits import MAX_TIMEOUT_S, MIN_TIMEOUT_S
from caxton.client.calls.arguments import check_whole
from caxton.client.connection import Agent, Connection
from caxton.conversations.state import TOLD_STATES
from caxton.conversations.view import ConversationView, join_all
from caxton.errors import ConversationNotFound, ValidationError
from caxton.ids import ConversationId, is_of
from caxton.printable import shown
from caxton.wire.conversations import (
    FIRST,
    MAX_VIEWS,
    AskConversationFigures,
    ConversationFigures,
    Conversations,
    FindConversations,
    ListConversations,
    ResumeConversation,
)
from caxton.wire.told import ConversationStats

Named = ConversationId | ConversationView | str
# Views that are asked for at once, from every shard.
PAGE = 100


class ConversationCalls(Connection):
    """A conversation is named by its id, the text of it, or the view of it.

    Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer, and ValidationError for
    what can be no conversation, agent or state.
    """

    def new_conversation(self) -> ConversationId:
        """Return an id that no conversation has. It begins with the first message that carries it.

        In a conversation of it nobody speaks but this client and whom one of those in it wrote to.
        """
        return self._new_conversation()

    async def conversation(self, conversation: Named, *, with_history: bool = True) -> ConversationView:
        """Return a conversation with its last messages; raises ConversationNotFound when no shard knows it.

        Where several have opened one under the same id, it is that of the client that made the id, or else the first;
        given a view, it is that of the same initiator.
        """
        raw, opener = bytes(conversation_id(conversation)), _opener(conversation)
        found = await self._views([raw], with_history=with_history)
        meant = [view for view in found if opener in {None, view.initiator}]
        if not meant:
            raise _not_there(conversation)
        return meant[0]

    async def conversations(
        self,
        *,
        agent: Agent | None = None,
        state: str | None = None,
        limit: int | None = None,
        after: Named | None = None,
    ) -> AsyncIterator[ConversationView]:
        """Yield conversations in the order of their ids, which is mostly that of their beginnings, without histories.

        agent: those that it takes part in. state: initiated, in progress, completed, failed or expired. limit: at most
        so many. after: those behind this one. What begins or is forgotten meanwhile may be there or not.
        """
        if state is not None and state not in TOLD_STATES:
            raise ValidationError("state", f"{shown(state)} is not one of {', '.join(TOLD_STATES)}")
        if limit is not None:
            check_whole("limit", limit, 0, sys.maxsize)
        left = sys.maxsize if limit is None else limit
        some: list[bytes] = []
        member = None if agent is None else int(self.id_of(agent))
        begin = FIRST if after is None else bytes(conversation_id(after))
        async for conversation in self._ids_of(member, left, begin):
            some.append(conversation)
            if len(some) == PAGE:
                for view in await self._fitting(some, member, state):
                    if not left:
                        return
                    yield view
                    left -= 1
                some = []
        for view in (await self._fitting(some, member, state))[:left]:
            yield view

    async def conversation_stats(self) -> ConversationStats:
        """Return how many conversations there are in all shards, how long they are, and how many take part.

        Each is counted where it was seen to begin: twice, where a client began it with agents of two shards.
        """
        asked = range(self._open().shards)
        shards = [await self._call(shard, AskConversationFigures(), ConversationFigures) for shard in asked]
        participants: Counter[int] = Counter()
        for one in shards:
            participants.update(one.participants)
        created = sum(one.created for one in shards)
        return ConversationStats(
            total_active=sum(one.active for one in shards),
            total_created=created,
            total_archived=sum(one.archived for one in shards),
            average_duration_ms=sum(one.durations_ms for one in shards) // max(1, created),
            average_message_count=sum(one.messages for one in shards) / max(1, created),
            participants_distribution=dict(sorted(participants.items())),
            size_bytes=sum(one.size for one in shards),
            log_bytes=sum(one.log_bytes for one in shards),
            evicted=sum(one.evicted for one in shards),
            stopped=sum(one.stopped for one in shards),
            strangers_refused=sum(one.strangers for one in shards),
            ended_refused=sum(one.unread for one in shards),
            violations_refused=sum(one.violations for one in shards),
        )

    async def resume_conversation(self, conversation: Named, *, timeout_s: int | None = None) -> ConversationView:
        """Let a conversation go on: one that expired or was stopped, or one whose time is to begin anew.

        timeout_s: for how long from now, in seconds; otherwise for as long as it could last before. What it is limited
        to besides begins anew. Raises ConversationNotFound when no shard knows it.
        """
        raw = bytes(conversation_id(conversation))
        if timeout_s is not None:
            check_whole("timeout_s", timeout_s, MIN_TIMEOUT_S, MAX_TIMEOUT_S)
        initiator = (await self.conversation(conversation, with_history=False)).initiator
        found: list[ConversationView] = []
        for shard in range(self._open().shards):
            answer = await self._call(shard, ResumeConversation(raw, timeout_s or 0, initiator), Conversations)
            found += answer.views
        if not found:
            raise _not_there(conversation)
        return join_all(found)

    async def _fitting(self, ids: list[bytes], member: int | None, state: str | None) -> list[ConversationView]:
        told = await self._views(ids, with_history=False)
        return [
            view
            for view in told
            if (state is None or view.state == state) and (member is None or member in view.members)
        ]

    async def _views(self, ids: list[bytes], *, with_history: bool) -> list[ConversationView]:
        """Return the conversations of these ids, each joined of what the shards know; of one id in their order."""
        found: dict[bytes, dict[int, list[ConversationView]]] = {conversation: {} for conversation in ids}
        for shard in range(self._open().shards if ids else 0):
            answer = await self._call(shard, FindConversations(ids, with_history), Conversations)
            for view in answer.views:
                found[view.conversation].setdefault(view.initiator, []).append(view)
        told: list[ConversationView] = []
        for by_opener in found.values():
            told += sorted(map(join_all, by_opener.values()), key=_order)
        return told

    async def _ids_of(self, agent: int | None, left: int, begin: bytes) -> AsyncIterator[bytes]:
        """Yield the ids of conversations of all shards, each once, in their order."""
        page = min(MAX_VIEWS, max(1, left))
        shards = [self._ids_of_shard(shard, agent, page, begin) for shard in range(self._open().shards)]
        firsts = [(shard, await anext(ids, None)) for shard, ids in enumerate(shards)]
        heads = [(first, shard) for shard, first in firsts if first is not None]
        heapify(heads)
        last = None
        while heads:
            conversation, shard = heads[0]
            if conversation != last:
                yield conversation
                last = conversation
            following = await anext(shards[shard], None)
            if following is None:
                heappop(heads)
            else:
                heapreplace(heads, (following, shard))

    async def _ids_of_shard(self, shard: int, agent: int | None, page: int, begin: bytes) -> AsyncIterator[bytes]:
        after, more = begin, True
        while more:
            found = await self._call(shard, ListConversations(after, page, agent), Conversations)
            for view in found.views:
                yield view.conversation
            more = found.more and bool(found.views)
            after = found.views[-1].conversation if found.views else after


def conversation_id(conversation: object) -> ConversationId:
    """Return the id of a conversation, however it is named; raises ValidationError, ParseError."""
    if isinstance(conversation, ConversationView):
        return conversation.id
    if isinstance(conversation, ConversationId):
        return conversation
    if isinstance(conversation, str):
        return ConversationId.parse(conversation)
    problem = f"{shown(conversation)} is neither a ConversationId nor its text, nor a ConversationView"
    raise ValidationError("conversation", problem)


def _opener(conversation: object) -> int | None:
    return conversation.initiator if isinstance(conversation, ConversationView) else None


def _order(view: ConversationView) -> tuple[bool, int, int]:
    """That of whoever made the id comes first."""
    return not is_of(view.conversation, view.initiator), view.opened_at, view.initiator


def _not_there(conversation: Named) -> ConversationNotFound:
    problem = f"no shard knows {conversation_id(conversation)}: it ended long ago, or there never was one"
    return ConversationNotFound("conversation", problem)
