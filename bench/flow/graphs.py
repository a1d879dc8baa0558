"""Who tells whom what: the graphs of agents, as values, and how many turns follow from a message that enters one.

An agent has a rule for what it is told, by the performative: `request` is what enters the graph from outside, and
`query-ref` and `inform` are what agents say to each other. All contents are a number of hops that are left.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

REQUEST, ASK, TELL = "request", "query-ref", "inform"
# Who is not known before: whoever sent the message that is handled. An answer goes there too, and says what it answers.
SENDER, ANSWER = "the sender", "the answer"


@dataclass(frozen=True)
class Said:
    """One message of a turn. to: an agent of the graph, SENDER or ANSWER. asks: it wants an answer."""

    to: str
    performative: str = TELL
    asks: bool = False


@dataclass(frozen=True)
class Rule:
    """What a turn says. every: only each so many times that the rule applies.

    counts_hops: each message has one hop less than the one that is handled, and nothing is said when none are left.
    """

    says: tuple[Said, ...] = ()
    every: int = 1
    counts_hops: bool = False


NOTHING = Rule()


@dataclass(frozen=True)
class Agent:
    """What an agent does with each performative, and nothing with others. Without rules it echoes what it is asked."""

    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Agents, those of them that messages enter at, and the turns that follow.

    turns: told how many messages enter, in turn at each entry, returns how many turns run until nothing is left. hops:
    what is in the contents of a message that enters. asked: whoever sends these waits for their answers.
    """

    name: str
    agents: Mapping[str, Agent]
    entries: tuple[str, ...]
    turns: Callable[[int], int]
    hops: int = 0
    asked: bool = False

    def roots(self, turns: int) -> int:
        """Return how many messages have to enter for about so many turns: one at least."""
        some = 1_000
        return max(1, turns * some // self.turns(some))


PEERS = 10
RING, ROUNDS = 4, 10
STAGES, FEEDBACK_EVERY = 8, 10
SPOKES = 10
GOSSIPS, TOLD_TO, GOSSIP_HOPS = 10, 3, 4
PUBLISHERS, SUBSCRIBERS = 2, 50
CIRCLE, CIRCLE_HOPS = 2, 5
ECHOES = 100


def _named(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what}-{number}" for number in range(count))


def _whoever_tells(rule: Rule) -> Agent:
    """Return an agent that makes no difference between what enters and what it is told."""
    return Agent({REQUEST: rule, TELL: rule})


def flat() -> Graph:
    """Return echo agents that do not know each other: what the others are compared with."""
    echoes = _named("echo", ECHOES)
    return Graph("flat", dict.fromkeys(echoes, Agent()), echoes, lambda roots: roots, asked=True)


def flat_msgpack() -> Graph:
    """Return echo agents that read and write messages, as the agents of all other graphs do, and not contents alone."""
    echoes = _named("echo", ECHOES)
    echo = Agent({REQUEST: Rule((Said(ANSWER),))})
    return Graph("flat-msgpack", dict.fromkeys(echoes, echo), echoes, lambda roots: roots, asked=True)


def coordinator_replies() -> Graph:
    """Return one that asks ten for each request, and they reply."""
    peers = _named("peer", PEERS)
    asks = Rule(tuple(Said(peer, ASK, asks=True) for peer in peers))
    agents = {"coordinator": Agent({REQUEST: asks, TELL: NOTHING})} | dict.fromkeys(peers, Agent())
    return Graph("coordinator-replies", agents, ("coordinator",), lambda roots: roots * (1 + 2 * PEERS))


def coordinator_news() -> Graph:
    """Return one that tells ten for each request, and each has something to tell it: a message of its own."""
    peers = _named("peer", PEERS)
    tells = Rule(tuple(Said(peer) for peer in peers))
    peer = Agent({TELL: Rule((Said("coordinator"),))})
    agents = {"coordinator": Agent({REQUEST: tells, TELL: NOTHING})} | dict.fromkeys(peers, peer)
    return Graph("coordinator-news", agents, ("coordinator",), lambda roots: roots * (1 + 2 * PEERS))


def ring() -> Graph:
    """Return agents that pass a token round, many times."""
    places = _named("place", RING)
    agents = {
        place: _whoever_tells(Rule((Said(places[(number + 1) % RING]),), counts_hops=True))
        for number, place in enumerate(places)
    }
    hops = RING * ROUNDS
    return Graph("ring", agents, places, lambda roots: roots * (1 + hops), hops)


def pipeline() -> Graph:
    """Return stages that pass on; of what reaches the last, it tells the first every tenth time."""
    stages = _named("stage", STAGES)
    agents = {stage: _whoever_tells(Rule((Said(after),))) for stage, after in pairwise(stages)}
    agents[stages[0]] = Agent({REQUEST: Rule((Said(stages[1]),)), TELL: NOTHING})
    agents[stages[-1]] = _whoever_tells(Rule((Said(stages[0]),), every=FEEDBACK_EVERY))
    return Graph("pipeline", agents, stages[:1], lambda roots: roots * STAGES + roots // FEEDBACK_EVERY)


def star() -> Graph:
    """Return a hub that each spoke asks; it answers, and asks the spoke, which answers."""
    spokes = _named("spoke", SPOKES)
    hub = Agent({ASK: Rule((Said(ANSWER), Said(SENDER, ASK, asks=True))), TELL: NOTHING})
    spoke = Agent({REQUEST: Rule((Said("hub", ASK, asks=True),)), ASK: Rule((Said(ANSWER),)), TELL: NOTHING})
    return Graph("star", {"hub": hub} | dict.fromkeys(spokes, spoke), spokes, lambda roots: roots * 5)


def gossip() -> Graph:
    """Return agents of whom each tells on to three others what it hears, four hops far."""
    gossips = _named("gossip", GOSSIPS)
    agents = {
        name: _whoever_tells(
            Rule(tuple(Said(gossips[(number + 2**k) % GOSSIPS]) for k in range(TOLD_TO)), counts_hops=True)
        )
        for number, name in enumerate(gossips)
    }
    each = sum(TOLD_TO**hop for hop in range(GOSSIP_HOPS + 1))
    return Graph("gossip", agents, gossips[:1], lambda roots: roots * each, GOSSIP_HOPS)


def broker() -> Graph:
    """Return publishers that tell one broker, which tells fifty subscribers."""
    publishers, subscribers = _named("publisher", PUBLISHERS), _named("subscriber", SUBSCRIBERS)
    agents = {
        "broker": Agent({TELL: Rule(tuple(Said(subscriber) for subscriber in subscribers))}),
        **dict.fromkeys(publishers, Agent({REQUEST: Rule((Said("broker"),))})),
        **dict.fromkeys(subscribers, Agent({TELL: NOTHING})),
    }
    return Graph("broker", agents, publishers, lambda roots: roots * (2 + SUBSCRIBERS))


def circle() -> Graph:
    """Return agents of whom each tells the next one two things for each that it is told, five hops far."""
    members = _named("member", CIRCLE)
    agents = {
        member: _whoever_tells(Rule((Said(members[(number + 1) % CIRCLE]),) * 2, counts_hops=True))
        for number, member in enumerate(members)
    }
    return Graph("circle", agents, members, lambda roots: roots * (2 ** (CIRCLE_HOPS + 1) - 1), CIRCLE_HOPS)


# Flat comes first: the others are compared with it.
GRAPHS = {
    graph.name: graph
    for graph in (
        flat(),
        flat_msgpack(),
        coordinator_replies(),
        coordinator_news(),
        ring(),
        pipeline(),
        star(),
        gossip(),
        broker(),
        circle(),
    )
}
