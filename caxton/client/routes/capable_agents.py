"""Who can do what, as a client knows it: shards are asked at the first use of a capability, and tell what changes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

from caxton.acl.capability import Balancing, label_of
from caxton.capabilities.publication import MOST_OFFERS
from caxton.capabilities.subscriptions import Subscription, Subscriptions, Told
from caxton.client.routes.shard_route import GIVEN_UP
from caxton.errors import NoCapableAgents, ResourceExhausted, ShardUnavailable, Timeout
from caxton.ids import AgentId
from caxton.wire.capable import Capable

# Of conversations, in which messages to a capability go to who had the last one; then the oldest is forgotten.
MOST_REMEMBERED = 4_096
# At the first use, for how long a message waits for every shard's answer when there is somebody already.
GRACE_S = 0.1


class CapableAgents:
    """Owned by a client's line to its runtime; sessions come and go. dice: numbers from 0 to 1, below 1.

    say: tells the shards what is wanted, over the present session.
    """

    def __init__(self, dice: Callable[[], float]) -> None:
        self.subscriptions = Subscriptions(dice)
        self.say: Callable[[], None] = _nothing
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._states: Sequence[str] = ()
        # Who had the last message to a capability, by conversation and key.
        self._last: OrderedDict[tuple[bytes, str], int] = OrderedDict()
        self._incarnations: Sequence[int] = ()

    def hear(self, page: Capable) -> None:
        """A worker tells of its agents."""
        told = Told(
            page.shard,
            page.key,
            page.since,
            page.version,
            page.page,
            page.more,
            page.candidates,
            page.asked,
            page.refused,
        )
        subscription = self.subscriptions.hear(page.source, told)
        if subscription is not None:
            self._wake(subscription.key)
        if self.subscriptions.is_due:
            self.say()

    def serve(self, incarnations: list[int], states: list[str]) -> None:
        """Take over which worker serves each shard, and how its shard stands."""
        self._incarnations, self._states = incarnations, states
        self.subscriptions.serve(incarnations)
        if self.subscriptions.is_due:
            self.say()
        for key in list(self._waiting):
            self._wake(key)

    def tick(self) -> None:
        """Every 200 ms: say again what is wanted."""
        self.say()
        self.subscriptions.look_anew()

    def pick(self, key: str, balancing: Balancing, tried: Collection[int], number: int | None) -> int | None:
        """Return an agent that is known and was not tried, None when there is none."""
        found = self.subscriptions.find(key)
        return None if found is None or not found.shards else _pick(found, balancing, tried, number)

    def remembered(self, conversation: bytes, key: str, tried: Collection[int]) -> int | None:
        """Return who had the last message of a conversation to a capability, if it still has it and was not tried."""
        agent = self._last.get((conversation, key))
        found = self.subscriptions.find(key)
        return agent if found is not None and agent in found.candidates and agent not in tried else None

    def remember(self, conversation: bytes, key: str, agent: int) -> None:
        """Let further messages of a conversation to a capability go to this agent."""
        self._last[conversation, key] = agent
        self._last.move_to_end((conversation, key))
        if len(self._last) > MOST_REMEMBERED:
            self._last.popitem(last=False)

    async def find(
        self, key: str, balancing: Balancing, tried: Collection[int], number: int | None, timeout_s: float
    ) -> int:
        """Return an agent that was not tried, after asking all shards when none is known.

        number: the same one chooses the same agent while it is there. Raises NoCapableAgents when every shard has
        answered and there is none, ShardUnavailable when one did not come back in time that may have some, Timeout when
        one did not answer, ResourceExhausted when too much is asked for.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        subscription = self.subscriptions.of(key, began_s)
        is_first = not subscription.shards
        picked = None if is_first else _pick(subscription, balancing, tried, number)
        if picked is not None:
            return picked
        asked = self.subscriptions.ask(subscription)
        loop.call_soon(self._say_if_due)
        subscription.waited_for += 1
        try:
            while True:
                now_s, until_s = loop.time(), began_s + timeout_s
                answered = self.subscriptions.has_answered(subscription, asked)
                picked = _pick(subscription, balancing, tried, number)
                if picked is not None and (answered or not is_first or now_s >= began_s + GRACE_S):
                    return picked
                if subscription.refused:
                    raise ResourceExhausted("capabilities of which a shard tells", MOST_OFFERS)
                self._check(key, tried, timeout_s, answered=answered, late=now_s >= until_s)
                await self._news(key, min(until_s, now_s + GRACE_S) - now_s)
        finally:
            subscription.waited_for -= 1

    def _check(self, key: str, tried: Collection[int], timeout_s: float, *, answered: bool, late: bool) -> None:
        """Raise why nobody is found, once that is known or the time is up."""
        absent = self._absent()
        if answered and absent is None:
            raise NoCapableAgents(label_of(key), tuple(str(AgentId(agent)) for agent in tried))
        if late and absent is not None:
            raise ShardUnavailable(absent, self._states[absent])
        if late:
            raise Timeout(f"who has the capability {label_of(key)}", timeout_s)

    def _absent(self) -> int | None:
        """Return a shard that is not served now and may come back, None when there is none."""
        for shard, incarnation in enumerate(self._incarnations):
            if not incarnation and self._states[shard] not in GIVEN_UP:
                return shard
        return None

    def _say_if_due(self) -> None:
        if self.subscriptions.is_due:
            self.say()

    async def _news(self, key: str, timeout_s: float) -> None:
        """Wait for word of a key, at most so long."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        try:
            async with asyncio.timeout(max(0.001, timeout_s)):
                await future
        except TimeoutError:
            pass
        finally:
            waiting = self._waiting.get(key, [])
            if future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[key]

    def _wake(self, key: str) -> None:
        for future in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(None)


def _pick(found: Subscription, balancing: Balancing, tried: Collection[int], number: int | None) -> int | None:
    found.used = True
    if number is not None:
        return found.candidates.pick_by(number, tried)
    return found.candidates.pick_other(balancing, tried) if tried else found.candidates.pick(balancing)


def _nothing() -> None:
    """Say nothing: there is no session."""
