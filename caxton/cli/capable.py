"""Receivers that the command line names by what they can do: @translate, or @german+translate for both at once."""

from typing import Annotated

import typer

from caxton.acl.capability import Balancing, Capability
from caxton.errors import ValidationError

ReceiverArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|ID|@CAPABILITY",
        help="An agent's name or its id; or @ and what it can do, with + between several things. "
        "16 hex digits are an id if an agent has it, and a name if not.",
        show_default=False,
    ),
]
BalancingOption = Annotated[
    Balancing, typer.Option(help="How one of several agents with the capability is chosen.", show_default=True)
]
NameArgument = Annotated[
    list[str], typer.Argument(metavar="CAPABILITY...", help="What they can do, all of it.", show_default=False)
]


def capability_of(
    receiver: str, balancing: Balancing = Balancing.LEAST_CONNECTIONS, *, param_hint: str = "NAME|ID|@CAPABILITY"
) -> Capability | None:
    """Return the capability that a receiver names, None for a name or an id; raises BadParameter for a bad one."""
    if not receiver.startswith("@"):
        return None
    try:
        return Capability(*receiver[1:].split("+"), balancing=balancing)
    except ValidationError as error:
        raise typer.BadParameter(str(error), param_hint=param_hint) from None
