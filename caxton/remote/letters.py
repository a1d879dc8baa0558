"""Dead letters and conversations, from another machine."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import msgspec

from caxton.client.calls.arguments import check_whole, listed, since_1970_ms
from caxton.client.calls.conversation_calls import ConversationCalls, Named, conversation_id
from caxton.client.calls.dead_letter_calls import DeadLetterCalls, Letter
from caxton.client.calls.letter_number import LetterNumber
from caxton.client.connection import Agent
from caxton.conversations.view import ConversationView
from caxton.errors import ConversationNotFound, ValidationError
from caxton.forms.conversation_form import ConversationForm
from caxton.forms.letter_form import LetterForm
from caxton.ids import MessageId
from caxton.remote.connection import NAMED, PAGE, RemoteConnection
from caxton.remote.pages import Cursor
from caxton.wire.calls import DeadLetter
from caxton.wire.told import ConversationStats, DeadLetterStats

_MOST = (1 << 63) - 1


class _Letters(msgspec.Struct, frozen=True):
    dead_letters: list[LetterForm]
    next: str | None


class _Conversations(msgspec.Struct, frozen=True):
    conversations: list[ConversationForm]
    next: str | None


class _Requeued(msgspec.Struct, frozen=True):
    message_ids: dict[str, str]


class _Purged(msgspec.Struct, frozen=True):
    count: int


class _Stats(msgspec.Struct, frozen=True):
    dead_letters: DeadLetterStats
    conversations: ConversationStats


class RemoteLetters(RemoteConnection, ConversationCalls, DeadLetterCalls):
    """Every call raises what the one of the same name of `caxton.Client` does."""

    async def dead_letters(
        self,
        *,
        reason: str | None = None,
        agent: Agent | None = None,
        sender: Agent | None = None,
        before: int | datetime | None = None,
        limit: int | None = None,
        after: Letter | None = None,
        with_content: bool = False,
    ) -> AsyncIterator[DeadLetter]:
        """Yield dead letters, shard by shard, oldest first; with content each is asked for by itself."""
        if limit is not None:
            check_whole("limit", limit, 0, _MOST)
        left = _MOST if limit is None else limit
        params = self._which(reason, agent, sender, before)
        cursor = Cursor(self._address.url, None if after is None else str(LetterNumber.of(after)))
        more = True
        while more and left:
            asked = {**params, "limit": min(PAGE, left), "after": cursor.after}
            page = await self._gateway().get("/v1/dead-letters", _Letters, asked)
            for form in page.dead_letters[:left]:
                yield await self.dead_letter(form.id) if with_content else form.letter()
                left -= 1
            more = cursor.turn(len(page.dead_letters), page.next)

    async def dead_letter(self, number: Letter) -> DeadLetter:
        """Return one dead letter with its content."""
        return (await self._gateway().get(f"/v1/dead-letters/{LetterNumber.of(number)}", LetterForm)).letter()

    async def requeue(
        self,
        numbers: Letter | Iterable[Letter] | None = None,
        *,
        reason: str | None = None,
        agent: Agent | None = None,
        sender: Agent | None = None,
        before: int | datetime | None = None,
        everything: bool = False,
    ) -> dict[str, MessageId]:
        """Send dead letters again, with no attempts, and return their new message ids by the numbers they had."""
        sent: dict[str, MessageId] = {}
        for choice in self._choices(numbers, self._which(reason, agent, sender, before), everything=everything):
            done = await self._gateway().post("/v1/dead-letters/requeue", _Requeued, choice)
            sent |= {number: MessageId.parse(text) for number, text in done.message_ids.items()}
        return sent

    async def purge(
        self,
        numbers: Letter | Iterable[Letter] | None = None,
        *,
        reason: str | None = None,
        agent: Agent | None = None,
        sender: Agent | None = None,
        before: int | datetime | None = None,
        everything: bool = False,
    ) -> int:
        """Forget dead letters for good; returns how many were there and are forgotten now."""
        count = 0
        for choice in self._choices(numbers, self._which(reason, agent, sender, before), everything=everything):
            count += (await self._gateway().post("/v1/dead-letters/purge", _Purged, choice)).count
        return count

    async def dead_letter_stats(self) -> DeadLetterStats:
        """Return how many dead letters there are in all shards together, why, how old and how large."""
        return (await self._gateway().get("/v1/stats", _Stats)).dead_letters

    async def conversation_stats(self) -> ConversationStats:
        """Return how many conversations there are in all shards, how long they are, and how many take part."""
        return (await self._gateway().get("/v1/stats", _Stats)).conversations

    async def conversation(self, conversation: Named, *, with_history: bool = True) -> ConversationView:
        """Return a conversation with its last messages."""
        path = f"/v1/conversations/{conversation_id(conversation)}"
        view = (await self._gateway().get(path, ConversationForm)).view()
        if isinstance(conversation, ConversationView) and conversation.initiator != view.initiator:
            raise ConversationNotFound("conversation", f"{view.id} of this initiator is not told from another machine")
        return view if with_history else msgspec.structs.replace(view, history=())

    async def conversations(
        self,
        *,
        agent: Agent | None = None,
        state: str | None = None,
        limit: int | None = None,
        after: Named | None = None,
    ) -> AsyncIterator[ConversationView]:
        """Yield conversations in the order of their ids, without histories."""
        if limit is not None:
            check_whole("limit", limit, 0, _MOST)
        left = _MOST if limit is None else limit
        cursor = Cursor(self._address.url, None if after is None else str(conversation_id(after)))
        params = {"agent": None if agent is None else self._text(agent), "state": state}
        more = True
        while more and left:
            asked = {**params, "limit": min(PAGE, left), "after": cursor.after}
            page = await self._gateway().get("/v1/conversations", _Conversations, asked)
            for form in page.conversations[:left]:
                yield form.view()
                left -= 1
            more = cursor.turn(len(page.conversations), page.next)

    def _which(
        self, reason: str | None, agent: Agent | None, sender: Agent | None, before: int | datetime | None
    ) -> dict[str, Any]:
        """Return a filter as the gateway takes it, without what it does not say."""
        given = {
            "reason": reason,
            "agent": None if agent is None else self._text(agent),
            "sender": None if sender is None else self._text(sender),
            "before": None if before is None else since_1970_ms("before", before),
        }
        return {name: value for name, value in given.items() if value is not None}

    def _text(self, agent: Agent) -> str:
        """Return an agent as text: its id, or the name that was given."""
        found, name = self._meant(agent)
        return name if name is not None and found == NAMED else str(found)

    def _choices(
        self, numbers: Letter | Iterable[Letter] | None, which: dict[str, Any], *, everything: bool
    ) -> list[dict[str, Any]]:
        """Return what to ask for, at most 500 numbers at a time. Raises ValidationError."""
        if numbers is None:
            return [{**which, "everything": everything}]
        if which or everything:
            raise ValidationError("dead letters", "give their numbers, or a filter, or everything; not two of these")
        given = (
            [numbers]
            if isinstance(numbers, DeadLetter | LetterNumber | str)
            else listed(numbers, DeadLetter, "dead letters")
        )
        ids = [*dict.fromkeys(str(LetterNumber.of(letter)) for letter in given)]
        return [{"ids": ids[start : start + PAGE]} for start in range(0, len(ids), PAGE)]
