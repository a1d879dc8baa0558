"""Which versions of what is said between a client and a runtime each side speaks, and which of them both do.

A version is a number for everything that a session says and hears: frames, calls and what they mean. What is appended
with a default needs no new one. The first question of a session and its answer (OpenSession, SessionOpened) are read by
all versions, since they are where the others are agreed on.
"""

from typing import NamedTuple

from caxton.errors import OtherProtocol


class Versions(NamedTuple):
    """All from `oldest` to `newest`."""

    oldest: int
    newest: int


# What a runtime speaks. Version 1 had no numbers yet: its clients are served, for what they ask is understood.
SPOKEN = Versions(1, 2)
# What a client speaks. A runtime of version 1 does not understand what it asks, and would never answer.
ASKED = Versions(2, 2)


def agreed(runtime: Versions, client: Versions) -> int:
    """Return the newest version that both speak; raises OtherProtocol, which tells both ranges, when there is none."""
    version = min(runtime.newest, client.newest)
    if version < max(runtime.oldest, client.oldest):
        raise OtherProtocol(*runtime, *client)
    return version
