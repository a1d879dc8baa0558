"""The protocols that are checked, by name and by number."""

from difflib import get_close_matches

from caxton.errors import UnknownProtocol
from caxton.protocols.machine import Machine
from caxton.protocols.tables.auctions import DUTCH_AUCTION, ENGLISH_AUCTION
from caxton.protocols.tables.contract_net import CONTRACT_NET, ITERATED_CONTRACT_NET
from caxton.protocols.tables.facilitators import BROKERING, RECRUITING
from caxton.protocols.tables.negotiation import NEGOTIATION
from caxton.protocols.tables.requests import PROPOSE, QUERY, REQUEST, REQUEST_WHEN, SUBSCRIBE

MACHINES = (
    REQUEST,
    QUERY,
    REQUEST_WHEN,
    PROPOSE,
    SUBSCRIBE,
    CONTRACT_NET,
    ITERATED_CONTRACT_NET,
    ENGLISH_AUCTION,
    DUTCH_AUCTION,
    BROKERING,
    RECRUITING,
    NEGOTIATION,
)
BY_NAME = {machine.name: machine for machine in MACHINES}
BY_NUMBER = {machine.number: machine for machine in MACHINES}
# Names that begin so are FIPA's, or the runtime's: by those it is known that it says something itself. Others are their
# users' own, and nobody checks what they mean by them.
FIPAS, RUNTIMES = "fipa-", "caxton:"


def machine_of(protocol: str) -> Machine | None:
    """Return the protocol of this name, None for one that is its users' own. Raises UnknownProtocol."""
    found = BY_NAME.get(protocol)
    if found is None and protocol.startswith(FIPAS):
        near = get_close_matches(protocol, BY_NAME, 1, cutoff=0.0)
        raise UnknownProtocol("protocol", f"{protocol!r:.80} is none of FIPA's protocols; is {near[0]!r} meant?")
    if found is None and is_runtimes(protocol):
        own = " and ".join(repr(name) for name in BY_NAME if name.startswith(RUNTIMES))
        raise UnknownProtocol(
            "protocol",
            f"{protocol!r:.80} is for what the runtime says itself: of the names that begin with {RUNTIMES} others may "
            f"use {own}; leave it out, or take a name that begins otherwise",
        )
    return found


def is_runtimes(protocol: str | None) -> bool:
    """Whether only the runtime itself may say this, in whichever case it is written."""
    return protocol is not None and protocol.casefold().startswith(RUNTIMES) and protocol not in BY_NAME


def is_checked(protocol: str | None) -> bool:
    """Whether messages of this name are looked at, were it only to be refused: they belong to a conversation."""
    return protocol is not None and (protocol in BY_NAME or protocol.startswith(FIPAS) or is_runtimes(protocol))
