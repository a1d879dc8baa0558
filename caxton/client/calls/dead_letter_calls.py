"""What a client asks about dead letters: list, look at one, send again, forget, count. All shards are asked."""

import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec

from caxton.client.calls.arguments import check_whole, listed, since_1970_ms
from caxton.client.calls.letter_number import LetterNumber, not_there
from caxton.client.connection import Agent, Connection
from caxton.delivery.dead_letter import Reason
from caxton.errors import ValidationError
from caxton.ids import MessageId
from caxton.printable import shown
from caxton.wire.calls import (
    MAX_BATCH,
    AskDeadLetterStats,
    DeadLetter,
    DeadLetterFilter,
    DeadLetters,
    ListDeadLetters,
    PurgeDeadLetters,
    RequeueDeadLetters,
)
from caxton.wire.dead_letter_results import DeadLetterFigures, Purged, Requeued
from caxton.wire.told import DeadLetterStats

Letter = DeadLetter | LetterNumber | str
REASONS = tuple(reason.value for reason in Reason)


class DeadLetterCalls(Connection):
    """Dead letters are named `shard-number`, such as `0-17`, which is their `id`; or each by itself.

    A filter's fields must all fit: reason, one of `caxton.delivery.dead_letter`; agent, the receiver; sender; before,
    the moment of its death, as a datetime or in milliseconds since 1970. Every call raises ShardUnavailable,
    NetworkError or Timeout when a shard does not answer, and ValidationError for what cannot be a reason, an agent, a
    moment or a number.
    """

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
        """Yield dead letters, shard by shard, oldest first, at most `limit` of them; with content only if asked.

        after: those that come behind this one, which need not be there any more.
        """
        which = self._filter(reason, agent, sender, before)
        begin = LetterNumber(0, 0) if after is None else LetterNumber.of(after)
        if limit is not None:
            check_whole("limit", limit, 0, sys.maxsize)
        left = limit
        for shard in range(begin.shard, self._open().shards):
            last, more = begin.number if shard == begin.shard else 0, True
            while more and (left is None or left > 0):
                page = min(MAX_BATCH, MAX_BATCH if left is None else left)
                found = await self._call(shard, ListDeadLetters(which, last, page, with_content), DeadLetters)
                for letter in found.letters:
                    yield letter
                left = None if left is None else left - len(found.letters)
                more = found.more and bool(found.letters)
                last = found.letters[-1].number if found.letters else 0

    async def dead_letter(self, number: Letter) -> DeadLetter:
        """Return one dead letter with its content; raises DeadLetterNotFound when there is none of that number."""
        at = LetterNumber.of(number)
        self._check_shard(at)
        found = await self._call(
            at.shard, ListDeadLetters(DeadLetterFilter(ids=[at.number]), with_content=True), DeadLetters
        )
        if not found.letters:
            raise not_there(at)
        return found.letters[0]

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
        """Send dead letters again, with no attempts, and return their new message ids by the numbers they had.

        Name one or several, or filter, or say `everything`: what dies while this goes on stays. What is named and not
        there any more, because somebody sent it again or forgot it meanwhile, is passed over and missing in the result;
        so the call may be repeated. Raises ValidationError, and nothing was sent, for what names no dead letter, or a
        shard that there is not.
        """
        sent: dict[str, MessageId] = {}
        began_ms = time.time_ns() // 1_000_000
        for shard, chosen in self._chosen(numbers, self._filter(reason, agent, sender, before), everything):
            which, more = chosen, True
            while more:  # also after an answer without any: another call was quicker with these, and there are others
                result = await self._call(shard, RequeueDeadLetters(which), Requeued)
                for number, message_id in result.message_ids.items():
                    sent[str(LetterNumber(shard, number))] = MessageId(message_id)
                more, which = result.more, _going_on(which, result.up_to, began_ms)
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
        """Forget dead letters for good, chosen as for `requeue`; returns how many were there and are forgotten now."""
        count = 0
        began_ms = time.time_ns() // 1_000_000
        for shard, chosen in self._chosen(numbers, self._filter(reason, agent, sender, before), everything):
            which, more = chosen, True
            while more:  # as for `requeue`
                result = await self._call(shard, PurgeDeadLetters(which), Purged)
                count += result.count
                more, which = result.more, _going_on(which, result.up_to, began_ms)
        return count

    async def dead_letter_stats(self) -> DeadLetterStats:
        """Return how many dead letters there are in all shards together, why, how old and how large."""
        asked = range(self._open().shards)
        shards = [await self._call(shard, AskDeadLetterStats(), DeadLetterFigures) for shard in asked]
        by_reason: Counter[str] = Counter()
        for one in shards:
            by_reason.update(one.by_reason)
        died_at = [one.oldest_died_at for one in shards if one.oldest_died_at is not None]
        return DeadLetterStats(
            total_messages=sum(one.total for one in shards),
            messages_by_reason=dict(by_reason),
            oldest_message_age_ms=max(0, time.time_ns() // 1_000_000 - min(died_at)) if died_at else None,
            queue_size_bytes=sum(one.size_bytes for one in shards),
            capacity=sum(one.capacity for one in shards),
            evicted=sum(one.evicted for one in shards),
        )

    def _filter(
        self, reason: str | None, agent: Agent | None, sender: Agent | None, before: int | datetime | None
    ) -> DeadLetterFilter:
        if reason is not None and reason not in REASONS:
            raise ValidationError("reason", f"{shown(reason)} is not one of {', '.join(REASONS)}")
        return DeadLetterFilter(
            reason=reason,
            receiver=None if agent is None else int(self.id_of(agent)),
            sender=None if sender is None else int(self.id_of(sender)),
            before=None if before is None else since_1970_ms("before", before),
        )

    def _chosen(
        self,
        numbers: Letter | Iterable[Letter] | None,
        which: DeadLetterFilter,
        everything: bool,  # noqa: FBT001 (private, passed on)
    ) -> list[tuple[int, DeadLetterFilter]]:
        """Return what to ask of which shard; raises ValidationError when nothing was chosen, or what cannot be."""
        if numbers is not None:
            if everything or which != DeadLetterFilter():
                raise ValidationError(
                    "dead letters", "give their numbers, or a filter, or everything; not two of these"
                )
            return self._named(numbers)
        if which == DeadLetterFilter() and not everything:
            raise ValidationError("dead letters", "give their numbers, or a filter, or say everything=True")
        return [(shard, which) for shard in range(self._open().shards)]

    def _named(self, numbers: Letter | Iterable[Letter]) -> list[tuple[int, DeadLetterFilter]]:
        """Return what to ask of which shard for these dead letters, at most 500 a call, each named once."""
        by_shard: dict[int, list[int]] = {}
        for at in dict.fromkeys(_numbers(numbers)):
            self._check_shard(at)
            by_shard.setdefault(at.shard, []).append(at.number)
        return [
            (shard, DeadLetterFilter(ids=of_shard[start : start + MAX_BATCH]))
            for shard, of_shard in by_shard.items()
            for start in range(0, len(of_shard), MAX_BATCH)
        ]

    def _check_shard(self, at: LetterNumber) -> None:
        if at.shard >= self._open().shards:
            raise not_there(at)


def _going_on(which: DeadLetterFilter, up_to: int, began_ms: int) -> DeadLetterFilter:
    """Return what is asked for next: what dies while this goes on stays, or it might be sent again for ever.

    up_to: as the shard said; a runtime that is older says 0, and is told by the clock when the call began.
    """
    if up_to:
        return msgspec.structs.replace(which, up_to=up_to)
    if which.ids is None and which.before is None:
        return msgspec.structs.replace(which, before=began_ms + 1)
    return which


def _numbers(letters: Letter | Iterable[Letter]) -> list[LetterNumber]:
    if isinstance(letters, DeadLetter | LetterNumber | str):
        return [LetterNumber.of(letters)]
    return [LetterNumber.of(letter) for letter in listed(letters, DeadLetter, "dead letters")]
