"""Calls about messages that this shard keeps: where one is, and what waits for an agent."""

from heapq import nsmallest
from itertools import chain

import msgspec

from caxton.acl.envelope import Envelope
from caxton.errors import AgentNotFound
from caxton.store.waiting import Waiting
from caxton.wire.calls import DeadLetterFilter
from caxton.wire.kept import FULL_PAGE_BYTES, FindMessage, KeptMessage, KeptMessages, ListKept
from workers.agents.delivery import ROW_SPAN, Delivery
from workers.agents.mailbox import Entry
from workers.agents.registry import Agent
from workers.durable.disk import OF_READ
from workers.durable.paging import READ_BYTES
from workers.loop.call_line import OF_SLICE, CallLine, Check, Walk
from workers.loop.shard import Shard

# What a frame on its way counts among the looks of a slice: it has up to 256 messages.
OF_FRAME = 64
_decode = msgspec.msgpack.Decoder(list[Envelope]).decode


class KeptCalls:
    """Answers from memory, from the rest of the mailboxes on disk, and from the dead letters in the file.

    One at a time, and in slices: what a shard keeps may take long to look through. reads: the turns to read the file.
    """

    def __init__(self, shard: Shard, reads: CallLine) -> None:
        self._shard = shard
        self._walks = CallLine()
        self._reads = reads

    async def answer(self, request: FindMessage | ListKept, check: Check) -> KeptMessages:
        """Answer one of these calls. Raises AgentNotFound, StorageError, and what `check` raises."""
        async with self._walks.turn(check):
            if isinstance(request, ListKept):
                return await self._page(request, check)
            found = await self._find(request, check)
            return KeptMessages([] if found is None else [found])

    async def _find(self, asked: FindMessage, check: Check) -> KeptMessage | None:
        """Look wherever it may be. What was on disk may have come to memory meanwhile, so that is looked at again."""
        on_disk = self._shard.durable.disk.messages
        found = await self._waiting(asked, check) or await self._under_way(asked, check)
        if on_disk and not found:
            found = await self._on_disk(asked, check) or await self._waiting(asked, check)
        return found or await self._dead(asked, check)

    async def _page(self, asked: ListKept, check: Check) -> KeptMessages:
        agent = self._shard.registry.find(asked.agent_id)
        if agent is None:
            raise AgentNotFound(f"{asked.agent_id:016x}")
        page = _Page(asked.limit, with_content=asked.with_content)
        if asked.place is None:
            for state, entry in await _first(agent, asked, Walk(check)):
                if not page.add(self._view(entry[0], state, entry[4], with_content=asked.with_content)):
                    return page.whole(more=True)
        place = asked.place or 0
        while read := await self._behind(place, asked.limit + 1, check, agent.agent_id):
            for place, waiting in read:
                view = self._view(waiting.message, "waiting", waiting, with_content=asked.with_content, place=place)
                if not page.add(view):
                    return page.whole(more=True)
        return page.whole(more=False)

    async def _behind(
        self, place: int, most: int, check: Check, receiver: int | None = None
    ) -> list[tuple[int, Waiting]]:
        """Return up to `most` messages that wait on disk behind a place, each with its own."""
        async with self._reads.turn(check):
            # Asked for in the same turn of the loop in which the places are looked up: no later commit comes between.
            places = self._shard.durable.disk.behind(place, most, receiver)
            if not places:
                return []
            read = await self._shard.store.waiting([divmod(found, ROW_SPAN) for found in places], READ_BYTES)
            return list(zip(places, read, strict=False))  # the rest is read next

    async def _on_disk(self, asked: FindMessage, check: Check) -> KeptMessage | None:
        place = 0
        while read := await self._behind(place, OF_READ, check):
            for _, waiting in read:
                if waiting.message.message_id == asked.message_id:
                    return self._view(waiting.message, "waiting", waiting, with_content=asked.with_content)
            place, _ = read[-1]
        return None

    async def _waiting(self, asked: FindMessage, check: Check) -> KeptMessage | None:
        walk = Walk(check)
        for agent in list(self._shard.registry.agents.values()):
            await walk.looked()
            for state, line in _kept(agent) if agent.busy else ():
                for start in range(0, len(line), OF_SLICE):
                    some = line[start : start + OF_SLICE]
                    for entry in some:
                        if entry[0].message_id == asked.message_id:
                            return self._view(entry[0], state, entry[4], with_content=asked.with_content)
                    await walk.looked(len(some))
        return None

    async def _under_way(self, asked: FindMessage, check: Check) -> KeptMessage | None:
        durable, walk = self._shard.durable, Walk(check)
        for outbox in list(durable.outboxes.by_target.values()):
            gathered, frames = list(durable.journal.emitted.get(outbox.target, [])), list(outbox.frames)
            for message in gathered:
                if message.message_id == asked.message_id:
                    return self._view(message, "under_way", None, with_content=asked.with_content)
            await walk.looked(len(gathered))
            for frame in frames:
                # Bytes are looked through first: nearly all frames need not be decoded.
                for message in _decode(frame.messages) if asked.message_id in frame.messages else ():
                    if message.message_id == asked.message_id:
                        return self._view(message, "under_way", None, with_content=asked.with_content)
                await walk.looked(OF_FRAME)
        return None

    async def _dead(self, asked: FindMessage, check: Check) -> KeptMessage | None:
        which = DeadLetterFilter(message_id=asked.message_id)
        async with self._reads.turn(check):
            page = await self._shard.store.dead_letters(which, 0, 1, with_content=asked.with_content)
        return next(
            (
                KeptMessage(
                    letter.envelope,
                    letter.shard,
                    "dead",
                    letter.content_bytes,
                    letter.attempts,
                    letter.retry_reasons,
                    letter.id,
                )
                for letter in page.letters
            ),
            None,
        )

    def _view(
        self,
        message: Envelope,
        state: str,
        tried: Delivery | Waiting | None,
        *,
        with_content: bool,
        place: int | None = None,
    ) -> KeptMessage:
        shown = message if with_content else msgspec.structs.replace(message, content=b"")
        attempts, reasons = (0, ()) if tried is None else (tried.attempts, tried.retry_reasons)
        size = len(message.content)
        return KeptMessage(shown, self._shard.number, state, size, attempts, reasons, place=place)


class _Page:
    """A page that is being filled. with_content: its messages have their contents, whose bytes bound it."""

    def __init__(self, limit: int, *, with_content: bool) -> None:
        self._limit = limit
        self._counts = with_content
        self._messages: list[KeptMessage] = []
        self._bytes = 0

    def add(self, kept: KeptMessage) -> bool:
        """Add a message, at least one; False when there is no room for it."""
        self._bytes += kept.content_bytes if self._counts else 0
        if len(self._messages) == self._limit or (self._messages and self._bytes > FULL_PAGE_BYTES):
            return False
        self._messages.append(kept)
        return True

    def whole(self, *, more: bool) -> KeptMessages:
        """Return the page."""
        return KeptMessages(self._messages, more)


async def _first(agent: Agent, asked: ListKept, walk: Walk) -> list[tuple[str, Entry]]:
    """Return the first of a page of what is in memory, and one more, in the order of their ids."""
    first: list[tuple[str, Entry]] = []
    for state, line in _kept(agent):
        for start in range(0, len(line), OF_SLICE):
            some = line[start : start + OF_SLICE]
            later = ((state, entry) for entry in some if entry[0].message_id > asked.after)
            first = nsmallest(asked.limit + 1, chain(first, later), key=lambda kept: kept[1][0].message_id)
            await walk.looked(len(some))
    return first


def _kept(agent: Agent) -> list[tuple[str, list[Entry]]]:
    """Return all that waits for an agent, as it is at this moment, by its state."""
    waiting = [] if agent.mailbox is None else agent.mailbox.lines()
    aside = (agent.retrying or {}).values()
    kept = [("waiting", line) for line in waiting] + [("retrying", line) for line in aside]
    return [(state, list(line)) for state, line in kept] + [("given", list(agent.drawn.values()))]
