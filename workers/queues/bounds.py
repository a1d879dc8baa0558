"""How much of what was begun a shard keeps, and when what is new may begin. Numbers in, a verdict out.

A root is what a client sends: it enters. What an agent sends is an effect: it belongs to work that was let in, and
never waits for room, or agents that ask each other would stand still. So clients wait, roots have their turns when
there is little else to do, and an effect beyond the bounds here is refused at once.
"""

from workers.agents.mailbox import OVERSHOOT, STORED_OVERSHOOT
from workers.peers.peers import WORKER_POOL

# What a shard keeps of effects, at most: 98,304 small ones, or 96 MiB; then other shards get no further credit. A sixth
# of it is for one receiver, and a sixth for what goes back to one agent, so that nobody uses up what all need.
OF_ONE = OVERSHOOT
MOST_EFFECTS = 6 * OF_ONE
# What durable effects of one receiver memory keeps: more, since a shard that comes back is sent all that waited for it
# at once; and less while it has no turns here. What is beyond waits on disk, as all does while the shard has so much.
OF_ONE_STORED = STORED_OVERSHOOT
OF_ONE_AT_REST = 4_096
TO_DISK = MOST_EFFECTS * 3 // 4
# It is read again when memory has half of that.
FROM_DISK = TO_DISK // 2
# How much of what waits on disk is a MiB: as many KiB, or small messages. Settings say how many of these there may be.
OF_MIB = 1 << 10
# What one commit gathers for the disk, which memory keeps until it is written.
MOST_TO_DISK = 1 << 17
# As many with what other shards send, because they were given credit for it before.
MOST_IN_ALL = MOST_EFFECTS + WORKER_POOL
# Beyond this much in all mailboxes clients get no further credit.
MOST_QUEUED, MOST_QUEUED_BYTES = 200_000, 256 << 20
# With what clients were given credit for before. From there on what they send is refused, for credit alone is no bound:
# a frame may go beyond it where all before it is acknowledged.
MOST_ROOTS_BYTES = MOST_QUEUED_BYTES + (64 << 20)
# Credit that ended is given again below this part of where it ended, so that it does not come and go.
AGAIN_AT = 0.75
# What effects may wait for another shard's credit, or for its worker.
OF_LINK = 16_384
# From this part on of what may wait for another shard, on either lane, no root begins whose effects go there: the rest
# is for what was begun before.
ROOTS_END_AT = 0.5
# What effects in line should weigh in all. Each agent that they go back to has the same part of it to begin roots in:
# one that begins more than it ends waits for itself alone.
IN_LINE = 8_192
# From so many effects on that wait for other shards, an agent has one root each time it comes to its turn; and from so
# many, one in eight of these times.
SOME, MUCH = 4_096, 16_384
# Of so many turns where both wait, roots have one; and one of so many times that an agent comes to its turn, whatever
# it has begun: nothing starves, and what a root causes, up to a share of the shard, is done before the next.
ROOT_EVERY, ROOT_SURELY = 8, 1_024


def credit_ends(value: int, bound: int, *, ended: bool) -> bool:
    """Return whether credit ends, or stays ended, now that so much waits."""
    return value > (bound * AGAIN_AT if ended else bound)


def turns_for_roots(most: int, begun: int, origins: int, elsewhere: int, visit: int, *, beside_effects: bool) -> int:
    """Return how many of an agent's next `most` turns roots may have.

    begun: what effects in line weigh that follow from its roots. origins: of how many agents there are any. elsewhere:
    what effects weigh that wait for other shards. visit: grows by 1 with every question. beside_effects: whether
    effects wait for this agent too.
    """
    left = max(1, IN_LINE // max(1, origins)) - begun
    if left <= 0:
        return int(_is_one_in(ROOT_SURELY, visit))
    if elsewhere >= SOME:
        most = int(elsewhere < MUCH or _is_one_in(ROOT_EVERY, visit))
    if beside_effects:
        most = most // ROOT_EVERY or int(_is_one_in(ROOT_EVERY, visit))
    return min(most, left)


def _is_one_in(every: int, visit: int) -> bool:
    """True for one number in so many, spread over the golden ratio: an agent meets one, however many take turns."""
    return visit * 2_654_435_761 % (1 << 32) < (1 << 32) // every
