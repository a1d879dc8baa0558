"""How much of what was begun a shard keeps, and when what is new may begin. Numbers in, a verdict out.

A root is what a client sends: it enters. What an agent sends is an effect: it belongs to work that was let in, and
never waits for room, or agents that ask each other would stand still. So clients wait, roots have their turns when
there is little else to do, and an effect beyond the bounds here is refused at once.
"""

from workers.agents.mailbox import OVERSHOOT
from workers.peers.peers import WORKER_POOL

# A message weighs 1, and 1 more for each whole KiB of its contents: so one bound holds for number and bytes alike.
BYTES_PER_WEIGHT_SHIFT = 10
# What a shard keeps of effects, at most: 98,304 small ones, or 96 MiB; then other shards get no further credit. An
# eighth of it all is for one receiver, and an eighth from one sender, so that nobody uses up alone what all need.
OF_ONE = OVERSHOOT
MOST_EFFECTS = 6 * OF_ONE
# As many with what other shards send, because they were given credit for it before.
MOST_IN_ALL = MOST_EFFECTS + WORKER_POOL
# Beyond this much in all mailboxes clients get no further credit, nor beyond MANY effects in line.
MOST_QUEUED, MOST_QUEUED_BYTES = 200_000, 256 << 20
# Credit that ended is given again below this part of where it ended, so that it does not come and go.
AGAIN_AT = 0.75
# What effects may wait for another shard's credit, or for its worker.
OF_LINK = 16_384
# So few effects in line are soon done: roots have their turns. Beyond, an agent has a root each time it comes to its
# turn, and then ever fewer: whatever a root causes, effects are done faster than they are begun.
FEW, SOME, MANY = 4_096, 16_384, 65_536
# Of so many turns where both wait, a root has one: nothing starves.
ROOT_EVERY = 8


def weight(size: int) -> int:
    """Return what a message weighs whose contents have `size` bytes."""
    return 1 + (size >> BYTES_PER_WEIGHT_SHIFT)


def credit_ends(value: int, bound: int, *, ended: bool) -> bool:
    """Return whether credit ends, or stays ended, now that so much waits."""
    return value > (bound * AGAIN_AT if ended else bound)


def turns_for_roots(most: int, in_line: int, visit: int, *, beside_effects: bool) -> int:
    """Return how many of an agent's next `most` turns roots may have.

    in_line: what effects weigh that can have their turns, in all mailboxes. visit: grows by 1 with every question.
    beside_effects: whether effects wait for this agent too.
    """
    if in_line < FEW:
        if not beside_effects:
            return most
        return most // ROOT_EVERY or int(visit % ROOT_EVERY == 0)
    every = 1 if in_line < SOME else ROOT_EVERY if in_line < MANY else ROOT_EVERY * ROOT_EVERY
    if most < ROOT_EVERY and beside_effects:
        every = max(every, ROOT_EVERY)
    return int(visit % every == 0)
