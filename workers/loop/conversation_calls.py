"""Calls about conversations: found by their ids, listed, counted, resumed. All of it is in memory."""

from collections.abc import Callable
from heapq import nsmallest
from itertools import chain
from operator import itemgetter

from caxton.acl.conversation_limits import MIN_TIMEOUT_S
from caxton.conversations.exchange import Exchange, Kept
from caxton.conversations.view import ConversationView
from caxton.errors import Unsupported
from caxton.wire.calls import Request
from caxton.wire.conversations import (
    MAX_VIEWS,
    AskConversationFigures,
    ConversationFigures,
    Conversations,
    FindConversations,
    ListConversations,
    ResumeConversation,
)
from workers.conversations.whose import own
from workers.loop.call_line import OF_SLICE, CallLine, Check, Walk
from workers.loop.shard import Shard


class ConversationCalls:
    """Answers from the table of the shard. looks: the turns to look through much, one call at a time.

    wake: lets a pass, and a commit after it, see to what a call changed.
    """

    def __init__(self, shard: Shard, looks: CallLine, wake: Callable[[], None]) -> None:
        self._shard = shard.number
        self._totals = shard.totals
        self._conversations = shard.durable.journal.conversations
        self._journal = shard.durable.journal
        self._looks = looks
        self._wake = wake

    async def answer(self, request: Request, check: Check) -> Conversations | ConversationFigures:
        """Answer one of these calls. Raises what `check` raises, and StorageFull for what is to be stored."""
        match request:
            case FindConversations(ids, with_history):
                return Conversations(self._found(ids, history=with_history))
            case ListConversations():
                async with self._looks.turn(check):
                    return await self._listed(request, check)
            case AskConversationFigures():
                async with self._looks.turn(check):
                    return await self._figures(check)
            case ResumeConversation():
                return await self._resumed(request)
            case _:
                raise Unsupported(type(request).__name__, "use a client of this version")

    async def _listed(self, asked: ListConversations, check: Check) -> Conversations:
        table, walk, agent = self._conversations.table, Walk(check), asked.agent
        found: dict[bytes, Kept] = {}
        for records in (table.live, table.archived) if asked.archived else (table.live,):
            for some in _slices(list(records.values())):
                after = asked.after
                for record in some:
                    if record.conversation_id > after and (agent is None or agent in record.parties):
                        found.setdefault(record.conversation_id, record)
                found = dict(nsmallest(asked.limit + 1, found.items(), key=itemgetter(0)))
                await walk.looked(len(some))
        views = [self._view(record, history=False) for record in list(found.values())[: asked.limit]]
        return Conversations(views, len(found) > asked.limit)

    async def _figures(self, check: Check) -> ConversationFigures:
        conversations, walk, totals = self._conversations, Walk(check), self._totals()
        table = conversations.table
        participants: dict[int, int] = {}
        durations_ms, messages, active = table.durations_ms, table.messages, 0
        for some in _slices(list(table.live.values())):
            for record in some:
                if record.begun_here:
                    active += 1
                    durations_ms += max(0, record.last_ms - record.opened_ms)
                    messages += record.messages
                    count = len(record.parties)
                    participants[count] = participants.get(count, 0) + 1
            await walk.looked(len(some))
        return ConversationFigures(
            active=active,
            archived=len(table.archived),
            created=table.created,
            durations_ms=durations_ms,
            messages=messages,
            participants=participants,
            size=table.size + table.archived_size,
            log_bytes=conversations.log.size,
            evicted=totals.get("conversations_evicted", 0),
            stopped=totals.get("conversations_stopped", 0),
            strangers=totals.get("strangers", 0),
            unread=totals.get("conversations_over", 0),
            violations=totals.get("violations", 0),
        )

    async def _resumed(self, asked: ResumeConversation) -> Conversations:
        records = self._conversations.table.all_of(asked.conversation)
        meant = [record for record in records if asked.initiator in {0, record.initiator}]
        timeout_s = max(MIN_TIMEOUT_S, asked.timeout_s) if asked.timeout_s else None
        for record in meant[:MAX_VIEWS]:
            self._conversations.resume(record, timeout_s)
            if record.base:
                await self._journal.stored_after(self._wake)
        return Conversations([self._view(record, history=False) for record in meant[:MAX_VIEWS]])

    def _found(self, ids: list[bytes], *, history: bool) -> list[ConversationView]:
        """Return conversations of these ids: first one of each, and what others opened under them, as far as it fits.

        The first one is that of whoever made the id, or else the one that was opened first here.
        """
        by_id = [self._conversations.table.all_of(conversation) for conversation in dict.fromkeys(ids)]
        firsts = [own(records) or records[0] for records in by_id if records]
        taken = set(firsts)
        others = [one for records in by_id if len(records) > 1 for one in records if one not in taken]
        return [self._view(record, history=history) for record in (firsts + others)[:MAX_VIEWS]]

    def _view(self, kept: Kept, *, history: bool) -> ConversationView:
        conversations = self._conversations
        record = kept.record() if isinstance(kept, Exchange) else kept
        is_archived = record.key not in conversations.table.live
        return record.view(self._shard, conversations.expires_at(record), history=history, is_archived=is_archived)


def _slices(records: list[Kept]) -> chain[list[Kept]]:
    return chain([records[start : start + OF_SLICE] for start in range(0, len(records), OF_SLICE)])
