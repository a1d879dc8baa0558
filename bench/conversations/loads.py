"""What the loads of `conversations` are: how many requests a conversation has, and by which protocol."""

from dataclasses import dataclass

from caxton.acl.performative import Performative


@dataclass(frozen=True)
class Load:
    """requests: those in a conversation, each of which is answered; 0 for no conversation. beside: the load without.

    taker: whether agents that accept what is proposed are asked, and not those that send back what they were sent.
    """

    name: str
    requests: int
    beside: str = "without"
    performative: Performative = Performative.REQUEST
    protocol: str | None = None
    taker: bool = False


# `short` has four messages in each conversation and `long` 64; by a protocol there are two, of which each is checked.
LOADS = {
    load.name: load
    for load in (
        Load("without", 0),
        Load("short", 2),
        Load("long", 32),
        Load("fipa-request", 1, protocol="fipa-request"),
        Load("proposals without", 0, "proposals without", Performative.PROPOSE, taker=True),
        Load("fipa-propose", 1, "proposals without", Performative.PROPOSE, "fipa-propose", taker=True),
    )
}
