"""What effects weigh that wait, by the agent that they follow from."""

from workers.agents.mailbox import Mailbox, weight


def charge(account: dict[int, int], origin: int, weighs: int) -> None:
    """Add to what waits of an origin; who has nothing left is forgotten."""
    now = account.get(origin, 0) + weighs
    if now:
        account[origin] = now
    else:
        del account[origin]


def move(mailbox: Mailbox, source: dict[int, int], target: dict[int, int]) -> None:
    """Charge what waits in a mailbox to another account."""
    for _, queue in mailbox.queues():
        for entry in queue.effects or ():
            weighs = weight(len(entry[0].content))
            charge(source, entry[5], -weighs)
            charge(target, entry[5], weighs)
