"""Who asks: what a bearer token grants, and what is said to whoever has none."""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from caxton.errors import SecurityError

_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{1,4096})")


class Grant(Protocol):
    """What a token lets its bearer do. principal: for whom what it sends is done."""

    @property
    def principal(self) -> str:
        """A name of its own for each token."""

    def allows(self, role: str, agent: str | None) -> bool:
        """Whether it may act in this role: viewer, sender, operator, admin. agent: on whom; None for all of them."""


class Access(Protocol):
    """Whoever keeps the tokens."""

    async def authenticate(self, bearer: str | None) -> Grant:
        """Return what a token grants; raises SecurityError for none, and for one that grants nothing now."""


# The values of a request's Authorization headers → what is granted; raises SecurityError.
Identify: TypeAlias = Callable[[list[bytes]], Awaitable[Grant]]


def identify_by(access: Access) -> Identify:
    """Return how requests are asked for their token."""

    async def identify(given: list[bytes]) -> Grant:
        return await access.authenticate(bearer_of(given))

    return identify


def bearer_of(given: list[bytes]) -> str | None:
    """Return the token of Authorization headers, None where there is none; raises SecurityError for anything else."""
    if not given:
        return None
    found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        raise SecurityError("the header Authorization is to be `Bearer TOKEN`, once")
    return found[1].decode("ascii")


async def nobody(_given: list[bytes]) -> Grant:
    """Refuse: where nobody keeps tokens, nobody has one."""
    raise SecurityError("this gateway knows no tokens, so only /health and /ready answer")
