"""What a token that was accepted lets its holder do."""

import unicodedata

from caxton.agents.names import NamePattern
from caxton.errors import AccessDenied
from caxton.tokens.role import Role
from caxton.tokens.token import EVERY_AGENT, Token


class Grant:
    """Says what may be done with one token. It ends with the token: ask `Access.check` before it is used again.

    principal: for whom sessions act that serve this token, `token:` and its id; the same as long as there is the token.
    roles: the token's own, and those that it includes. patterns: of the names of the agents that it is for.
    """

    __slots__ = ("_fitting", "name", "patterns", "principal", "role", "roles", "token_id")

    def __init__(self, token: Token) -> None:
        self.token_id = token.token_id
        self.principal = f"token:{token.token_id}"
        self.name = token.name
        self.role = token.role
        self.roles = token.role.included
        self.patterns = token.agents
        self._fitting = tuple(NamePattern(pattern) for pattern in token.agents)

    @property
    def is_for_all(self) -> bool:
        """Whether it is for every agent there is or will be."""
        return not {*EVERY_AGENT}.isdisjoint(self.patterns)

    def covers(self, agent_name: str) -> bool:
        """Tell whether the token is for the agent of this name, in whichever of Unicode's forms. An id is no name."""
        name = unicodedata.normalize("NFC", agent_name)
        return any(pattern.fits(name) for pattern in self._fitting)

    def allows_some(self, role: Role) -> None:
        """Let pass who may do this at all: for lists, of which then only what `covers` says is shown.

        Raises AccessDenied.
        """
        if not self.role.includes(role):
            raise AccessDenied("role", role.value, self.role.value)

    def allows(self, role: Role, agent_name: str | None = None) -> None:
        """Let pass who may do this to an agent or, without a name, what is about all agents: tokens, workers, stats.

        Raises AccessDenied when the token's role does not include this one, or it is not for this agent, or for all.
        """
        self.allows_some(role)
        if agent_name is None:
            if not self.is_for_all:
                raise AccessDenied("agents", role.value, self.role.value)
        elif not self.covers(agent_name):
            raise AccessDenied("agents", role.value, self.role.value, agent_name)
