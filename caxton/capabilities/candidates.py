"""Agents that can do something, as who sends to them knows them; and which one of them a message is for."""

from bisect import bisect_right
from collections.abc import Callable, Collection
from itertools import accumulate
from typing import Annotated

import msgspec

from caxton.acl.capability import Balancing
from caxton.acl.envelope import Id
from caxton.agents.manifest import MAX_WEIGHT

Figure = Annotated[int, msgspec.Meta(ge=0)]
# Mixes an agent's id with a key's number, so that each key has an order of its own among agents (Knuth's multiplier).
_MIX, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


class Candidate(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One agent as its shard tells of it.

    weight: 1 to 100; 0 says that it is no candidate any more. active: conversations that are under way. queued:
    messages that wait for it. response_us: for how long a message lately waited and was handled, in microseconds.
    """

    agent_id: Id
    weight: Annotated[int, msgspec.Meta(ge=0, le=MAX_WEIGHT)]
    active: Figure = 0
    queued: Figure = 0
    response_us: Figure = 0


class Known:
    """One candidate as it is known here. sent: messages that went to it from here since its load was last looked at."""

    __slots__ = ("active", "agent_id", "queued", "response_us", "sent", "weight")

    def __init__(self, told: Candidate) -> None:
        self.agent_id = told.agent_id
        self.sent = 0
        self.weight = told.weight
        self.active = told.active
        self.queued = told.queued
        self.response_us = told.response_us

    def update(self, told: Candidate) -> None:
        """Take over what its shard says."""
        self.weight = told.weight
        self.active = told.active
        self.queued = told.queued
        self.response_us = told.response_us


class Candidates:
    """Those of one capability, from all shards. dice: numbers from 0 to 1, below 1."""

    __slots__ = ("_all", "_by_shard", "_dice", "_place", "_sums", "_touched", "_turn")

    def __init__(self, dice: Callable[[], float]) -> None:
        self._dice = dice
        self._all: list[Known] = []
        self._place: dict[int, int] = {}
        self._by_shard: dict[int, set[int]] = {}
        # Those that have a count of what went to them.
        self._touched: list[Known] = []
        self._turn = 0
        # The weights added up, made at the first choice by weight after a change.
        self._sums: list[int] | None = None

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._place

    @property
    def ids(self) -> list[int]:
        """All of them."""
        return list(self._place)

    def pick(self, balancing: Balancing) -> int | None:
        """Return whom the next message is for, None when there is nobody."""
        some = self._all
        count = len(some)
        if not count:
            return None
        if balancing is Balancing.ROUND_ROBIN:
            self._turn = turn = (self._turn + 1) % count
            return some[turn].agent_id
        dice = self._dice
        if balancing is Balancing.WEIGHTED:
            one, two = self._drawn_by_weight(), self._drawn_by_weight()
        else:
            one, two = some[int(dice() * count)], some[int(dice() * count)]
        if one is not two and _is_better(two, one, balancing):
            one = two
        if not one.sent:
            self._touched.append(one)
        one.sent += 1
        return one.agent_id

    def pick_other(self, balancing: Balancing, tried: Collection[int]) -> int | None:
        """Return one that was not tried, None when there is none."""
        others = [known for known in self._all if known.agent_id not in tried]
        if not others:
            return None
        count, dice = len(others), self._dice
        one, two = others[int(dice() * count)], others[int(dice() * count)]
        return (two if _is_better(two, one, balancing) else one).agent_id

    def pick_by(self, number: int, tried: Collection[int] = ()) -> int | None:
        """Return the one that this number chooses: the same as long as it is there, whoever else comes or goes."""
        others = [agent_id for agent_id in self._place if agent_id not in tried]
        return max(others, key=lambda agent_id: ((agent_id ^ number) * _MIX) & _MASK, default=None)

    def put(self, shard: int, told: Candidate) -> None:
        """Take over what a shard says of one of its agents; weight 0 takes it out."""
        agent_id = told.agent_id
        if not told.weight:
            self._leave(shard, agent_id)
            return
        place = self._place.get(agent_id)
        if place is not None:
            known = self._all[place]
            if known.weight != told.weight:
                self._sums = None
            known.update(told)
            return
        self._place[agent_id] = len(self._all)
        self._all.append(Known(told))
        own = self._by_shard.get(shard)
        if own is None:
            own = self._by_shard[shard] = set()
        own.add(agent_id)
        self._sums = None

    def replace(self, shard: int, told: list[Candidate]) -> None:
        """Take over all that a shard has, in place of what it had."""
        before = self._by_shard.get(shard)
        if not before and self._add_all(shard, told):
            return
        if before:
            for gone in before - {candidate.agent_id for candidate in told}:
                self._leave(shard, gone)
        put = self.put
        for candidate in told:
            put(shard, candidate)

    def _add_all(self, shard: int, told: list[Candidate]) -> bool:
        """Take in all of a shard of which nothing is known, at once; False when some are known, or are none."""
        ids = [candidate.agent_id for candidate in told]
        new = set(ids)
        if len(new) < len(ids) or not new.isdisjoint(self._place) or 0 in [candidate.weight for candidate in told]:
            return False
        first = len(self._all)
        self._all += [Known(candidate) for candidate in told]
        self._place.update(zip(ids, range(first, len(self._all)), strict=True))
        self._by_shard[shard] = new
        self._sums = None
        return True

    def look_anew(self) -> None:
        """Forget what went to them from here: their load has been looked at since."""
        for known in self._touched:
            known.sent = 0
        self._touched.clear()

    def _leave(self, shard: int, agent_id: int) -> None:
        own = self._by_shard.get(shard)
        if own is None or agent_id not in own:
            return  # no shard speaks of another's agents
        own.remove(agent_id)
        place = self._place.pop(agent_id)
        last = self._all.pop()
        if last.agent_id != agent_id:
            self._all[place] = last
            self._place[last.agent_id] = place
        self._sums = None

    def _drawn_by_weight(self) -> Known:
        sums = self._sums
        if sums is None:
            sums = self._sums = list(accumulate(known.weight for known in self._all))
        return self._all[bisect_right(sums, self._dice() * sums[-1])]


def _is_better(one: Known, two: Known, balancing: Balancing) -> bool:
    """Whether a message had better go to `one` than to `two`."""
    if balancing is Balancing.WEIGHTED:
        return (one.queued + one.sent + 1) * two.weight < (two.queued + two.sent + 1) * one.weight
    if balancing is Balancing.RESPONSE_TIME and one.response_us != two.response_us:
        return one.response_us < two.response_us
    if one.active != two.active and one.active + one.sent != two.active + two.sent:
        return one.active + one.sent < two.active + two.sent  # what was sent lately may have begun conversations
    return one.queued + one.sent < two.queued + two.sent
