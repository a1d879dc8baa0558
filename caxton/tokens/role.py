"""What a token lets its holder do: each role may also do what those before it may."""

from enum import StrEnum


class Role(StrEnum):
    """viewer: look. sender: also send and request. operator: also pause, resume, drain, stop, requeue, purge, restart.

    admin: also deploy, remove, and make and revoke tokens.
    """

    VIEWER = "viewer"
    SENDER = "sender"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def included(self) -> tuple["Role", ...]:
        """This role and those whose holders may do less."""
        return tuple(Role)[: tuple(Role).index(self) + 1]

    def includes(self, other: "Role") -> bool:
        """Tell whether whoever has this role may do what takes the other."""
        return other in self.included
