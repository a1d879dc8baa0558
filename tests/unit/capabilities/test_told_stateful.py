"""Shards and a subscriber over a wire that loses words: in the end it knows what they have."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from caxton.capabilities.candidates import Candidate
from caxton.capabilities.publication import Publication
from caxton.capabilities.subscriptions import IDLE_S, RENEW_S, Subscriptions, Told

KEYS = ("a", "b", "a\nb")
NAMES = st.sets(st.sampled_from("abc"))
SHARDS = 2


class OneShard:
    """A worker of a shard: its agents by what they can do; `life` is its incarnation."""

    def __init__(self, number, life, can, post):
        self.number, self.life, self.can, self._post = number, life, can, post
        self.publication = Publication(self, self._send)

    def candidates(self, names, most, most_looked_at):
        found = [one for agent in list(self.can)[:most_looked_at] if (one := self.candidate(agent, names))]
        return found[:most], len(self.can)

    def candidate(self, agent_id, names):
        return Candidate(agent_id, 1) if set(names) <= self.can.get(agent_id, set()) else None

    weighed = candidate

    def _send(self, _peer, page):
        self._post.append((self.life, Told(self.number, *page)))
        return True


class WordsThatMayBeLost(RuleBasedStateMachine):
    """Words to shards and from them stand in lines from which the wire takes or drops them."""

    @initialize(seed=st.integers(0, 9))
    def begin(self, seed):
        self.from_shards, self.to_shards = [], []
        self.subscriptions = Subscriptions(random.Random(seed).random)
        self.shards = [OneShard(n, 100 + n, {}, self.from_shards) for n in range(SHARDS)]
        self.lives = 200
        self.now_s = 0.0
        self.asked = {}
        self._serve()

    def _serve(self):
        self.subscriptions.serve([shard.life for shard in self.shards])

    @rule(number=st.integers(0, SHARDS - 1), agent=st.integers(0, 5), names=NAMES)
    def change(self, number, agent, names):
        """An agent comes, goes, or can do other things."""
        shard = self.shards[number]
        agent = 10 * number + agent
        before = shard.can.get(agent, set())
        shard.can[agent] = names
        shard.publication.note(agent, before | names)

    @rule(key=st.sampled_from(KEYS))
    def use(self, key):
        """Somebody sends to a capability."""
        self.subscriptions.of(key, self.now_s)

    @rule(key=st.sampled_from(KEYS))
    def ask(self, key):
        """Somebody wants a fresh answer."""
        self.asked[key] = self.subscriptions.ask(self.subscriptions.of(key, self.now_s))

    @rule(seconds=st.sampled_from([0.0, RENEW_S, IDLE_S]))
    def say(self, seconds):
        """The subscriber says what it wants."""
        self.now_s += seconds
        self.to_shards += self.subscriptions.say(self.now_s)
        self.asked = {key: asked for key, asked in self.asked.items() if self.subscriptions.find(key)}

    @rule(is_lost=st.booleans())
    def carry_out(self, is_lost):
        """A word comes to a shard, or is lost."""
        if self.to_shards:
            shard, taken, wanted = self.to_shards.pop(0)
            if not is_lost:
                self._take(shard, taken, wanted)

    def _take(self, shard, taken, wanted):
        publication = self.shards[shard].publication
        publication.leave(1, [one.key for one in wanted if one.over])
        publication.subscribe(1, taken, [one[:3] for one in wanted if not one.over], self.now_s)

    @invariant()
    def what_is_told_is_counted(self):
        """As many as each key's candidates come to, whoever wants it or has left."""
        for shard in getattr(self, "shards", ()):
            offers = shard.publication._offers.values()
            assert shard.publication.told == sum(len(offer.told) for offer in offers)

    @rule()
    def flush(self):
        """Shards tell what is due."""
        for shard in self.shards:
            shard.publication.flush()

    @rule(is_lost=st.booleans())
    def carry_back(self, is_lost):
        """A shard's word comes to the subscriber, or is lost."""
        if self.from_shards:
            life, told = self.from_shards.pop(0)
            if not is_lost:
                self.subscriptions.hear(life, told)

    @rule(number=st.integers(0, SHARDS - 1))
    def restart(self, number):
        """A worker ends, and its successor has the same agents."""
        self.lives += 1
        self.shards[number] = OneShard(number, self.lives, self.shards[number].can, self.from_shards)
        self._serve()

    @invariant()
    def nothing_is_known_that_no_shard_ever_said(self):
        """Candidates are agents of the shards."""
        if hasattr(self, "subscriptions"):
            for key in KEYS:
                found = self.subscriptions.find(key)
                known = set() if found is None else set(found.candidates.ids)
                assert known <= {agent for shard in self.shards for agent in shard.can}

    def teardown(self):
        """After some seconds without losses, the subscriber knows all that the shards have, and has its answers."""
        if not hasattr(self, "subscriptions"):
            return
        for _ in range(5):
            self.now_s += RENEW_S
            for key in list(self.asked):
                self.subscriptions.of(key, self.now_s)
            for shard, taken, wanted in (*self.to_shards, *self.subscriptions.say(self.now_s)):
                self._take(shard, taken, wanted)
            self.to_shards = []
            for shard in self.shards:
                shard.publication.flush()
            for life, told in self.from_shards:
                self.subscriptions.hear(life, told)
            self.from_shards.clear()
        for key in KEYS:
            found = self.subscriptions.find(key)
            if found is not None:
                names = set(key.split("\n"))
                able = {agent for shard in self.shards for agent, can in shard.can.items() if names <= can}
                assert set(found.candidates.ids) == able
                assert self.subscriptions.has_answered(found, self.asked.get(key, 1))


WordsThatMayBeLost.TestCase.settings = settings(stateful_step_count=40)
TestWhatIsTold = WordsThatMayBeLost.TestCase
