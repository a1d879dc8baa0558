"""The options of commands that send: how the message is to be delivered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from caxton.acl.envelope import MAX_HOPS
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
HopsOption = Annotated[
    int | None,
    typer.Option(
        "--max-hops",
        min=1,
        max=MAX_HOPS,
        help="How many hops from agent to agent may follow from it. Default 1,000.",
        show_default=False,
    ),
]
ExpiresOption = Annotated[
    datetime | None,
    typer.Option(
        "--expires-at",
        metavar="MOMENT",
        formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
        help="From this moment of local time on it is not worth delivering, such as 2026-01-31T12:00:00.",
        show_default=False,
    ),
]
ReceiptOption = Annotated[
    bool, typer.Option("--receipt", help="Wait until it was handled, or its agent failed on it for good.")
]
ReceiptTimeoutOption = Annotated[
    float, typer.Option("--receipt-timeout", min=0.001, help="Seconds to wait for that. Given up, it is still sent.")
]
ConversationOption = Annotated[
    str | None,
    typer.Option(
        "--conversation", metavar="ID|new", help="The conversation that it belongs to, or begins.", show_default=False
    ),
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
