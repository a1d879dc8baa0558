"""The options of commands that send: how the message is to be delivered."""

from enum import StrEnum
from typing import Annotated

import typer

from caxton.acl.options import MAX_RETRIES, MAX_TIMEOUT_MS, MIN_RETRIES, MIN_TIMEOUT_MS


class Reliability(StrEnum):
    """The lanes, by the names that `DeliveryOptions` gives them."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class Priority(StrEnum):
    """The levels, in small letters."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


ReliabilityOption = Annotated[
    Reliability, typer.Option(help="at_least_once: it survives crashes and power cuts. at_most_once: faster.")
]
PriorityOption = Annotated[Priority, typer.Option(help="Higher ones are handled first.")]
TimeoutOption = Annotated[
    int,
    typer.Option(
        "--timeout-ms", min=MIN_TIMEOUT_MS, max=MAX_TIMEOUT_MS, help="How long it is worth delivering, in ms."
    ),
]
RetriesOption = Annotated[
    int, typer.Option("--max-retries", min=MIN_RETRIES, max=MAX_RETRIES, help="Attempts after one that failed.")
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        help="Sent again to the same agent with the same key within 10 minutes, it is delivered once.",
        show_default=False,
    ),
]
