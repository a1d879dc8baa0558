"""What a client asks to see of messages as they go by."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from itertools import count

from msgspec.structs import replace

from caxton.client.calls.arguments import as_typed
from caxton.client.calls.conversation_calls import Named, conversation_id
from caxton.client.calls.following import NO_ROOM, Following
from caxton.client.connection import Agent, Connection
from caxton.client.runtime_line import RuntimeLine
from caxton.errors import AgentNotFound, CaxtonError, ResourceExhausted, ValidationError
from caxton.printable import counted
from caxton.wire.calls import Done
from caxton.wire.watching import EndWatch, Watch, WatchedMessage, WatchPage

# How long the end of a watch waits for its shards to know it; they would find out by themselves.
END_TIMEOUT_S = 1.0
_NUMBERS = count(1)


class WatchCalls(Connection):
    """`watch`."""

    async def watch(
        self, agent: Agent | None = None, *, conversation: Named | None = None, with_content: bool = False
    ) -> AsyncIterator[WatchedMessage]:
        """Yield the messages of an agent, or of a conversation, as they go by; those of one shard in their order.

        The first that is yielded is a note that it is watched from here on. with_content: the first 4 KiB of contents
        too. Of what nobody has asked for yet a shard keeps the last 1,000 messages, up to 1 MiB; a note says how many
        are missing, or that a worker was restarted. A message that was refused is yielded once more, with its `error`.

        It ends with the block of the client, or with the error when a shard does not answer, or has no room for the
        question, for a minute. Raises AgentNotFound, also when the agent is removed, ResourceExhausted for the ninth
        watch of a client on a shard, and ValidationError unless just one of agent and conversation is given.
        """
        if (agent is None) == (conversation is None):
            raise ValidationError("watch", "name an agent or a conversation, and not both")
        agent_id = None if agent is None else self.id_of(agent)
        line = self._reach()
        if agent_id is None:
            asked = Watch(next(_NUMBERS), conversation=bytes(conversation_id(conversation)), with_content=with_content)
            shards: Sequence[int] = range(self._open().shards)
        else:
            asked = Watch(next(_NUMBERS), int(agent_id), with_content=with_content)
            shards = [line.table.shard_of(agent_id)]
        watched = _Watched(line, asked, shards)
        try:
            await watched.begin()
            yield _note(None, "watched from here on")
            while True:
                for one in await watched.next():
                    yield one
        except AgentNotFound as error:
            raise error if agent_id is None else as_typed(error, agent, agent_id) from None
        finally:
            await watched.end()


class _Watched:
    """One watch on some shards: each is asked again as soon as it has answered, and what it told was taken."""

    def __init__(self, line: RuntimeLine, asked: Watch, shards: Sequence[int]) -> None:
        self._line = line
        self._asked = asked
        self._shards = {shard: Following(line, shard, WatchPage) for shard in shards}
        self._before: dict[int, WatchPage] = {}
        self._tasks: dict[asyncio.Task[WatchPage | ResourceExhausted], int] = {}

    async def begin(self) -> None:
        """Return when all shards watch."""
        for shard, following in self._shards.items():
            page = await following.ask(self._asked, 0)
            if isinstance(page, ResourceExhausted):
                raise page
            self._before[shard] = page
        for shard in self._shards:
            self._ask(shard)

    async def next(self) -> list[WatchedMessage]:
        """Return what some shards have told."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        told: list[WatchedMessage] = []
        for task in done:
            shard, page = self._tasks.pop(task), task.result()
            if isinstance(page, ResourceExhausted):
                told.append(_note(shard, NO_ROOM.format(page)))
            else:
                told += _told(shard, page, self._before[shard])
                self._before[shard] = page
            self._ask(shard)
        return told

    async def end(self) -> None:
        """Let the shards know that nobody watches any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._end(shard) for shard in self._before))

    def _ask(self, shard: int) -> None:
        page, following = self._before[shard], self._shards[shard]
        asked = replace(
            self._asked, incarnation=page.incarnation, watch=page.watch, after=page.last, wait_ms=following.wait_ms
        )
        self._tasks[self._line.loop.create_task(following.ask(asked, asked.wait_ms))] = shard

    async def _end(self, shard: int) -> None:
        with suppress(CaxtonError):
            await self._line.call(shard, EndWatch(self._asked.number), Done, END_TIMEOUT_S)


def _told(shard: int, page: WatchPage, before: WatchPage) -> Iterator[WatchedMessage]:
    """Yield what went by, with a note where something is missing."""
    if page.incarnation != before.incarnation:
        yield _note(shard, f"the worker of shard {shard} was restarted: what went by meanwhile was not seen")
    elif page.watch != before.watch:
        yield _note(shard, f"shard {shard} was not asked for long: what went by meanwhile was not seen")
    for one in page.messages:
        if one.missed:
            yield _note(shard, f"{counted(one.missed, 'messages')} went by unseen", one.missed)
        yield replace(one, missed=0)


def _note(shard: int | None, text: str, missed: int = 0) -> WatchedMessage:
    return WatchedMessage(0, time.time_ns() // 1_000_000, shard, note=text, missed=missed)
