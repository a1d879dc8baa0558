"""Tokens that were refused, by the address that they came from: so many, and then one now and then."""

import ipaddress
from collections import OrderedDict

from caxton.errors import FailedTooOften

# Of one address, before it has to wait; from then on one each so many seconds.
FAILURES_AT_ONCE, FAILURE_PERIOD_S = 10, 6.0
# Whoever was refused longest ago is forgotten first.
MOST_ADDRESSES = 10_000
# Whoever has one address of IPv6 has all of its network.
_IPV6_NETWORK = 64


class Failures:
    """A bucket of failures for each address. Only failures are counted: valid tokens are let in from everywhere.

    Else whoever shares an address with others, behind one proxy, could shut them all out.
    """

    def __init__(self) -> None:
        # Of each address the time, in seconds, at which its bucket will be empty of failures again.
        self._empty_at_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._empty_at_s)

    def count(self, address: str, now_s: float) -> None:
        """Count a failure; now_s: of a clock that only goes on. Raises FailedTooOften in place of what failed."""
        key = network_of(address)
        empty_at_s = max(now_s, self._empty_at_s.pop(key, now_s))
        wait_s = empty_at_s - now_s - (FAILURES_AT_ONCE - 1) * FAILURE_PERIOD_S
        full = wait_s > 0
        self._empty_at_s[key] = empty_at_s if full else empty_at_s + FAILURE_PERIOD_S
        if len(self._empty_at_s) > MOST_ADDRESSES:
            self._empty_at_s.popitem(last=False)
        if full:
            raise FailedTooOften(round(wait_s, 3))


def network_of(address: str) -> str:
    """Return what counts as one peer: an address of IPv4, a network of IPv6, or the text as it is (a Unix socket's)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
