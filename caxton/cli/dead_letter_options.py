"""The options that choose dead letters: their names, or a filter whose every field must fit."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any

import typer

from caxton.cli.pages import MOST
from caxton.cli.session import not_found
from caxton.cli.suggestions import suggestion
from caxton.client.calls.letter_number import LetterNumber
from caxton.client.client import Client
from caxton.delivery.dead_letter import Reason
from caxton.errors import AgentNotFound, ValidationError
from caxton.ids import AgentId

_WHO = "its name or its id; 16 hex digits are an id"

IdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--id", metavar="SHARD-NUMBER", help="This one, such as 0-17; may be given again.", show_default=False
    ),
]
_REASONS = tuple(reason.value for reason in Reason)
ReasonOption = Annotated[
    str | None,
    typer.Option(
        "--reason", metavar="REASON", help=f"Those dead for this reason: {', '.join(_REASONS)}.", show_default=False
    ),
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
FirstOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, max=MOST, help="At most so many, oldest first in each shard.", show_default=False),
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
        # Each once, and written as the client writes them, to be found in its answers.
        self.ids = [*dict.fromkeys(str(LetterNumber.parse(name)) for name in ids or ())] or None
        self._reason = reason
        self._agent = agent
        self._sender = sender
        self._before = before
        if self.ids is not None and any((reason, agent, sender, before)):
            raise ValidationError("--id", "names dead letters; it goes with no filter")
        if reason is not None and reason not in _REASONS:
            there_are = f"there are {', '.join(_REASONS)}"
            raise typer.BadParameter(
                f"{reason!r} is none; {suggestion(reason, _REASONS) or there_are}", param_hint="--reason"
            )

    @property
    def is_open(self) -> bool:
        """True when neither names nor a filter were given."""
        return not any((self.ids, self._reason, self._agent, self._sender, self._before))

    def filter(self) -> dict[str, Any]:
        """Return the filter as the client's methods take it. Names are also of those who are gone."""
        return {
            "reason": self._reason,
            "agent": _who(self._agent),
            "sender": _who(self._sender),
            "before": self._before,
        }

    async def explain_nothing(self, client: Client) -> None:
        """Raise AgentNotFound if no dead letter fits because nobody has a name of the filter, and no letter is theirs.

        What is left of an agent that was removed may be asked for by its name; a client that has ended has no name.
        """
        for field, name in (("agent", self._agent), ("sender", self._sender)):
            who = _who(name)
            is_session = isinstance(who, AgentId) and who.is_session
            if name is None or who is None or is_session or await _is_there(client, who):
                continue
            theirs: dict[str, Any] = {field: who}
            if not [letter async for letter in client.dead_letters(limit=1, **theirs)]:
                raise await not_found(client, name)


async def _is_there(client: Client, agent: AgentId | str) -> bool:
    try:
        await client.inspect(agent)
    except AgentNotFound:
        return False
    return True


def chooses(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose dead letters; what they say is its first argument.

    Raises ValidationError for options that do not go together, and for an --id that is none.
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


def _who(name: str | None) -> AgentId | str | None:
    if name is None:
        return None
    try:
        return AgentId.parse(name)
    except ValueError:
        return name
