"""What a forked child does with the clients of its parent: it gives them up, and harms nothing that both have.

A child has copies of its parent's descriptors: of the lock by which the runtime knows that a session lives, of its
sockets, and of the loop's epoll. The lock is the child's to let go of. The rest stays as it is: to close a socket, or
to take a reader from the loop, would reach what the parent uses.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Inherited(Protocol):
    """What does not survive a fork."""

    def abandon(self) -> None:
        """Called in the child, before anything else runs there."""


_open: "WeakSet[Inherited]" = WeakSet()
# Kept to the child's end: collecting them would close what the parent uses.
_abandoned: list[Inherited] = []


def abandon_in_children(owner: Inherited) -> None:
    """Have every child that is forked from now on abandon `owner`, while anybody keeps it."""
    _open.add(owner)


def _abandon_all() -> None:
    for owner in list(_open):
        owner.abandon()
        _abandoned.append(owner)
    _open.clear()


os.register_at_fork(after_in_child=_abandon_all)
