"""The options that choose dead letters: their names, or a filter whose every field must fit."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any

import typer

from caxton.client.client import Client
from caxton.errors import ValidationError
from caxton.ids import AgentId

_WHO = "its name or its id; 16 hex digits are an id"

IdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--id", metavar="SHARD-NUMBER", help="This one, such as 0-17; may be given again.", show_default=False
    ),
]
ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", help="Those dead for this reason; see `caxton deadletter stats`.", show_default=False),
]
AgentOption = Annotated[
    str | None,
    typer.Option("--agent", metavar="NAME|ID", help=f"Those for this agent: {_WHO}.", show_default=False),
]
SenderOption = Annotated[
    str | None,
    typer.Option("--sender", metavar="NAME|ID", help=f"Those of this agent or client: {_WHO}.", show_default=False),
]
BeforeOption = Annotated[
    datetime | None,
    typer.Option(
        "--before",
        metavar="MOMENT",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
        help="Those dead before this moment of local time, such as 2026-01-31 or 2026-01-31T12:00:00.",
        show_default=False,
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many, oldest first in each shard.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="Every dead letter there is.")]


class Choice:
    """Which dead letters the command line means. What it is made of are the options of every command that `chooses`."""

    def __init__(
        self,
        ids: IdOption = None,
        reason: ReasonOption = None,
        agent: AgentOption = None,
        sender: SenderOption = None,
        before: BeforeOption = None,
    ) -> None:
        self.ids = ids or None
        self._reason = reason
        self._agent = agent
        self._sender = sender
        self._before = before
        if self.ids is not None and any((reason, agent, sender, before)):
            raise ValidationError("--id", "names dead letters; it goes with no filter")

    @property
    def is_open(self) -> bool:
        """True when neither names nor a filter were given."""
        return not any((self.ids, self._reason, self._agent, self._sender, self._before))

    def filter(self, client: Client) -> dict[str, Any]:
        """Return the filter as the client's methods take it. Names become ids, also of those who are gone."""
        return {
            "reason": self._reason,
            "agent": _who(client, self._agent),
            "sender": _who(client, self._sender),
            "before": None if self._before is None else int(self._before.timestamp() * 1_000),
        }


def chooses(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose dead letters; what they say is its first argument.

    Raises ValidationError for options that do not go together.
    """
    chosen = signature(Choice).parameters
    own = [*signature(command).parameters.values()][1:]

    @wraps(command)
    def choosing(**options: Any) -> None:
        command(Choice(**{name: options.pop(name) for name in chosen}), **options)

    # What typer makes options of.
    options = [*chosen.values(), *own]
    choosing.__signature__ = Signature(options)  # type: ignore[attr-defined] # nobody has it unless it is set
    choosing.__annotations__ = {option.name: option.annotation for option in options}
    return choosing


def _who(client: Client, name: str | None) -> AgentId | None:
    if name is None:
        return None
    try:
        return AgentId.parse(name)
    except ValueError:
        return client.id_of(name)
