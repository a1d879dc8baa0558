"""What each principal has of something that a shard bounds, so that everybody finds a share.

Up to a half of it whoever comes first has it. Beyond that nobody gets more who has a share already.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from caxton.acl.envelope import Envelope
from caxton.delivery.levels import Level
from caxton.errors import QueueFull
from workers.agents.mailbox import weight
from workers.agents.registry import Registry
from workers.queues.bounds import MOST_QUEUED
from workers.queues.dispatcher import Dispatcher

# So much of a bound is shared out from where it begins to be: the other half.
HALVES = 2
_OWNER = "the runtime's owner"


def named(principal: str) -> str:
    """Return whom a text names: a principal, or the runtime's owner."""
    return f"principal {principal}" if principal else _OWNER


def principal_of(message: Envelope) -> str:
    """Return for whom a message is on its way, "" for the runtime's owner."""
    return "" if message.cause is None else message.cause.principal


class Shares:
    """What each principal has of one thing, in the unit of its bound.

    here: how many sessions each principal has; whoever is alone may have everything. total: of all, and also of what
    nobody knows any more whose it is. refused: principals that met their share. most_of_one: what nobody but the
    runtime's owner goes beyond, also while alone: for what is kept until long after others have come.
    """

    def __init__(self, here: Mapping[str, int], most: int, most_of_one: int | None = None) -> None:
        self._here = here
        self.most = most
        self.most_of_one = most_of_one
        self.total = 0
        self.refused: set[str] = set()
        self._of: Counter[str] = Counter()

    @property
    def is_half_used(self) -> bool:
        """Whether so much is used that shares count, if there are several principals."""
        return self.total * HALVES >= self.most

    @property
    def are_wanted(self) -> bool:
        """Whether shares count now: so much is used, and several principals are here."""
        return self.is_half_used and len(self._here) > 1

    def add(self, principal: str | None, amount: int) -> None:
        """A principal, or nobody knows who (None), has so much more; or less, below zero."""
        self.total += amount
        if principal is None:
            return
        self._of[principal] += amount
        if not self._of[principal]:
            del self._of[principal]

    def has(self, principal: str) -> int:
        """Return how much is a principal's."""
        return self._of[principal]

    def share(self, principal: str) -> int:
        """Return what a principal has for sure while others are here: an even part of a half of everything."""
        count = len(self._here) + (principal not in self._here)
        return self.most // (HALVES * count)

    def is_beyond(self, principal: str) -> bool:
        """Whether a principal gets no more of it now: it has its share and others are here, or what one may have."""
        if principal and self.most_of_one is not None and self._of[principal] >= self.most_of_one:
            return True
        if not self.is_half_used or not self._has_others(principal):
            return False
        return self._of[principal] >= self.share(principal)

    def refuses(self, principal: str) -> bool:
        """As `is_beyond`, for somebody who wants more: who is refused is known from then on."""
        if not self.is_beyond(principal):
            return False
        self.refused.add(principal)
        return True

    def still_refused(self) -> set[str]:
        """Return the principals that were refused, as far as they would be refused now."""
        self.refused = {principal for principal in self.refused if self.is_beyond(principal)}
        return self.refused

    def levels(self, limit: str) -> Iterator[Level]:
        """Yield how full each share is, while shares count."""
        if self.are_wanted:
            for principal, amount in self._of.items():
                yield Level(limit, amount, self.share(principal), named(principal))

    def replace(self, now: Counter[str]) -> None:
        """Know anew what everybody has."""
        self._of, self.total = now, now.total()

    def _has_others(self, principal: str) -> bool:
        return len(self._here) > (principal in self._here)


class RootShares:
    """What clients sent for each principal that waits in mailboxes, by weight.

    Nobody keeps account of it message by message: whoever never fills half of the mailboxes pays nothing. From there on
    it is counted about once a second, and what comes between two counts is added.
    """

    def __init__(self, registry: Registry, dispatcher: Dispatcher, here: Mapping[str, int]) -> None:
        self._agents = registry.agents
        self._dispatcher = dispatcher
        self._here = here
        self.shares = Shares(here, MOST_QUEUED)
        self._counted = False
        # The last refusal, by which what it was for is counted.
        self.told: QueueFull | None = None

    def refusal(self, principal: str, messages: list[Envelope]) -> QueueFull | None:
        """Return why messages that a principal sends may not wait, or None; then they count as waiting."""
        if not self._are_wanted:
            self._counted = False
            return None
        if not self._counted:
            self.count()
        shares = self.shares
        if shares.refuses(principal):
            share, whose = shares.share(principal), named(principal)
            self.told = QueueFull(f"{whose}, of all mailboxes", shares.has(principal), share)
            return self.told
        shares.add(principal, sum(weight(len(message.content)) for message in messages))
        return None

    def look(self) -> None:
        """Count anew, while that matters; about once a second."""
        self._counted = self._are_wanted
        if self._counted:
            self.count()
        else:
            self.shares.replace(Counter())

    def count(self) -> None:
        """Count what waits in mailboxes, by principal."""
        now: Counter[str] = Counter()
        for agent in self._agents.values():
            if agent.mailbox is not None and agent.mailbox.depth:
                for _, queue in agent.mailbox.queues():
                    for entry in queue.roots:
                        now[principal_of(entry[0])] += weight(len(entry[0].content))
        self.shares.replace(now)
        self._counted = True

    @property
    def _are_wanted(self) -> bool:
        dispatcher = self._dispatcher
        at_most = dispatcher.queued + (dispatcher.queued_bytes >> 10)
        return at_most * HALVES >= self.shares.most and len(self._here) > 1
