"""Who asks from elsewhere, by a token, and is not let in, or may not do what it asks for."""

from dataclasses import dataclass
from typing import ClassVar, Self

from caxton.errors.given import ValidationError
from caxton.errors.root import CaxtonError
from caxton.printable import shown


@dataclass(eq=False)
class AccessError(CaxtonError):
    """Who asks is not let in, or may not do this."""


@dataclass(eq=False)
class TokenMissing(AccessError):
    """No token came with what was asked."""

    says = "this takes a token"
    hint = (
        "make one with `caxton token create NAME --role viewer` where the runtime serves, and send it as "
        "`Authorization: Bearer TOKEN`"
    )


@dataclass(eq=False)
class TokenRefused(AccessError):
    """A token came that lets nobody in.

    why, token_id: for logs and the audit. They do not travel: whoever guesses tokens learns nothing from an answer.
    """

    why: ClassVar[str] = ""
    token_id: ClassVar[str] = ""
    says = "this token lets nobody in"
    hint = "look with `caxton token list` where the runtime serves, or make another one"

    def because(self, why: str, token_id: str = "") -> Self:
        """Note why and, where it is known, of which token. Returns the error itself."""
        self.__dict__.update(why=why, token_id=token_id)
        return self


@dataclass(eq=False)
class FailedTooOften(AccessError):
    """Too many tokens from one address were refused: the next is answered in so many seconds. Valid ones are let in."""

    retry_after_s: float
    says = "too many tokens from this address were refused; try again in {retry_after_s:g} s"


@dataclass(eq=False)
class AccessDenied(AccessError):
    """A valid token may not do this.

    missing: "role" or "agents". needed: the role that it takes. role: the token's. agent: whom it is about; None for
    what is about all of them.
    """

    missing: str
    needed: str
    role: str
    agent: str | None = None
    hint = "ask for a token that may: `caxton token create --help`"

    def __str__(self) -> str:
        if self.missing == "role":
            text = f"this takes the role {self.needed}, and this token has the role {self.role}"
        elif self.agent is None:
            text = "this is about all agents, and this token is for some of them"
        else:
            text = f"this token is not for the agent {shown(self.agent)}"
        return f"{text}; {self.hint}"


@dataclass(eq=False)
class TokenNotFound(ValidationError):
    """No token has this id: it was forgotten, or there never was one."""
