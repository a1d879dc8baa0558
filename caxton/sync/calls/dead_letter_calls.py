"""`caxton.client.calls.dead_letter_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from caxton.client.calls.dead_letter_calls import Letter
from caxton.client.connection import Agent
from caxton.ids import MessageId
from caxton.sync.connection import Connection
from caxton.wire.calls import DeadLetter
from caxton.wire.told import DeadLetterStats


class DeadLetterCalls(Connection):
    """Dead letters are named `shard-number`, such as `0-17`, which is their `id`; or each by itself.

    A filter's fields must all fit: reason, one of `caxton.delivery.dead_letter`; agent, the receiver; sender; before,
    the moment of its death, as a datetime or in milliseconds since 1970. Every call raises ShardUnavailable,
    NetworkError or Timeout when a shard does not answer, and ValidationError for what cannot be a reason, an agent, a
    moment or a number.
    """

    def dead_letters(
        self,
        *,
        reason: str | None = None,
        agent: Agent | None = None,
        sender: Agent | None = None,
        before: int | datetime | None = None,
        limit: int | None = None,
        after: Letter | None = None,
        with_content: bool = False,
    ) -> Iterator[DeadLetter]:
        """Yield dead letters, shard by shard, oldest first, at most `limit` of them; with content only if asked.

        after: those that come behind this one, which need not be there any more.
        """
        return self._iterated(
            self._client.dead_letters(
                reason=reason,
                agent=agent,
                sender=sender,
                before=before,
                limit=limit,
                after=after,
                with_content=with_content,
            )
        )

    def dead_letter(self, number: Letter) -> DeadLetter:
        """Return one dead letter with its content; raises DeadLetterNotFound when there is none of that number."""
        return self._run(self._client.dead_letter(number))

    def requeue(
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
        return self._run(
            self._client.requeue(
                numbers, reason=reason, agent=agent, sender=sender, before=before, everything=everything
            )
        )

    def purge(
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
        return self._run(
            self._client.purge(numbers, reason=reason, agent=agent, sender=sender, before=before, everything=everything)
        )

    def dead_letter_stats(self) -> DeadLetterStats:
        """Return how many dead letters there are in all shards together, why, how old and how large."""
        return self._run(self._client.dead_letter_stats())
