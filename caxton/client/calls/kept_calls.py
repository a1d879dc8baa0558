"""What a client asks about messages that the runtime keeps: where one is, and what waits for an agent."""

import re
import sys
from collections.abc import AsyncIterator

from caxton.client.calls.arguments import as_typed, check_whole
from caxton.client.connection import Agent, Connection
from caxton.errors import AgentNotFound, MessageNotFound, ValidationError
from caxton.ids import MessageId
from caxton.printable import shown
from caxton.wire.kept import IN_MEMORY, MAX_PAGE, NOBODY, ON_DISK, FindMessage, KeptMessage, KeptMessages, ListKept

_CURSOR = re.compile(rf"{IN_MEMORY}([0-9a-f]{{32}})|{ON_DISK}([0-9]{{1,18}})")


class KeptCalls(Connection):
    """Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer."""

    async def message(self, message_id: MessageId | str, *, with_content: bool = True) -> KeptMessage:
        """Return a message by its id, and where it is: it waits, is tried again, is under way or dead.

        Raises MessageNotFound when no shard keeps it: then it was handled, or there never was one. All shards are
        asked, one after the other; a message that goes from one to another meanwhile may be missed.
        """
        raw = bytes(_message_id("message_id", message_id))
        for shard in range(self._open().shards):
            found = await self._call(shard, FindMessage(raw, with_content), KeptMessages)
            if found.messages:
                return found.messages[0]
        raise MessageNotFound("message", f"{message_id} is kept nowhere: it was handled, or there never was one")

    async def waiting(
        self,
        agent: Agent,
        *,
        after: KeptMessage | str | None = None,
        limit: int | None = None,
        with_content: bool = False,
    ) -> AsyncIterator[KeptMessage]:
        """Yield the messages that wait for an agent, on either lane; with content if asked.

        Those in memory come first, in the order of their ids, and then the rest of them in the order in which they
        stand in the file; what goes from here to there meanwhile may be missed. after: goes on behind this one, or its
        `cursor`, where an earlier call ended. limit: at most so many. Raises AgentNotFound.
        """
        agent_id = self.id_of(agent)
        last, place = _read_cursor(after.cursor if isinstance(after, KeptMessage) else after)
        if limit is not None:
            check_whole("limit", limit, 0, sys.maxsize)
        left, more = limit, True
        while more and (left is None or left > 0):
            page = MAX_PAGE if left is None else min(MAX_PAGE, left)
            asked = ListKept(int(agent_id), last, page, with_content, place)
            try:
                found = await self._call(self._open().table.shard_of(agent_id), asked, KeptMessages)
            except AgentNotFound as error:
                raise as_typed(error, agent, agent_id) from None
            for kept in found.messages:
                yield kept
                last, place = kept.envelope.message_id, kept.place
            left = None if left is None else left - len(found.messages)
            more = found.more and bool(found.messages)


def _read_cursor(cursor: object) -> tuple[bytes, int | None]:
    """Return behind which message of those in memory a list goes on, or behind which place of the file."""
    if cursor is None:
        return NOBODY, None
    found = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if found is None:
        raise ValidationError("after", f"{shown(cursor)} is neither a KeptMessage nor the cursor of one")
    return (NOBODY, int(found[2])) if found[2] else (bytes.fromhex(found[1]), None)


def _message_id(field: str, given: object) -> MessageId:
    if isinstance(given, MessageId):
        return given
    if isinstance(given, str):
        return MessageId.parse(given)
    raise ValidationError(field, f"{shown(given)} is neither a MessageId nor the text of one")
