"""Who calls at the desk."""

from typing import NamedTuple


class Caller(NamedTuple):
    """A connection, and the process at its other end, as the kernel names it: a program has one, whatever it opens.

    principal: for whom the sessions on this connection act, "" for the process itself. A gateway acts for many.
    """

    line: int
    process: int
    principal: str = ""

    @property
    def owner(self) -> tuple[int, str]:
        """Whose what comes here is, among others who want the same."""
        return self.process, self.principal
