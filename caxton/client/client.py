"""The Python client: it places by itself and talks straight to the workers.

async with caxton.connect() as client:
    echo = await client.deploy("echo", Path("echo.wasm"))
    receipt = await client.send(echo, b"hello")
    reply = await client.request(echo, b"hello", timeout_s=5)
"""

import os
from pathlib import Path

from caxton.client.calls.apply_calls import ApplyCalls
from caxton.client.calls.auction_calls import AuctionCalls
from caxton.client.calls.audit_calls import AuditCalls
from caxton.client.calls.backup_calls import BackupCalls
from caxton.client.calls.call_graph_calls import CallGraphCalls
from caxton.client.calls.conversation_calls import ConversationCalls
from caxton.client.calls.dead_letter_calls import DeadLetterCalls
from caxton.client.calls.event_calls import EventCalls
from caxton.client.calls.hosting_calls import HostingCalls
from caxton.client.calls.interaction_calls import InteractionCalls
from caxton.client.calls.kept_calls import KeptCalls
from caxton.client.calls.log_calls import LogCalls
from caxton.client.calls.span_calls import SpanCalls
from caxton.client.calls.subscription_calls import SubscriptionCalls
from caxton.client.calls.token_calls import TokenCalls
from caxton.client.calls.watch_calls import WatchCalls
from caxton.config.settings import runtime_directory
from caxton.errors import ConfigurationError
from caxton.printable import shown


def connect(
    runtime_dir: Path | str | None = None,
    *,
    reconnect: bool = True,
    principal: str = "",
    trace_sampling_ratio: float = 0.0,
) -> "Client":
    """Return a client of the runtime in `runtime_dir`, CAXTON_RUNTIME_DIR or the usual place, for an `async with`.

    Opening raises RuntimeNotFound when nobody serves there. reconnect: whether it opens another session by itself when
    the runtime has ended and was started again; without, everything ends with NetworkError then. principal: for whom it
    acts, if not for the user that it runs as: printable text of at most 100 characters without blanks at its ends,
    taken in Unicode's composed form (NFC). All that follows from what it sends is done for this one. Opening raises
    SecurityError unless the runtime lets gateways claim principals (`caxton serve --gateway-principals`).
    trace_sampling_ratio: of the traces that begin here, how many are sampled, from 0 to 1. Raises ConfigurationError
    for what is not a path, ValidationError for no principal and for no ratio.
    """
    try:
        option = None if runtime_dir is None else Path(runtime_dir)
    except TypeError:
        raise ConfigurationError(
            "runtime_dir", f"{shown(runtime_dir)} is not a path", "give a Path or its text"
        ) from None
    directory = runtime_directory(option, os.environ, os.geteuid())
    return Client(directory, reconnect=reconnect, principal=principal, trace_sampling_ratio=trace_sampling_ratio)


class Client(
    InteractionCalls,
    AuctionCalls,
    SubscriptionCalls,
    HostingCalls,
    ApplyCalls,
    ConversationCalls,
    KeptCalls,
    LogCalls,
    DeadLetterCalls,
    BackupCalls,
    TokenCalls,
    SpanCalls,
    CallGraphCalls,
    WatchCalls,
    EventCalls,
    AuditCalls,
):
    """Everything a program may ask of a runtime, over one session, for one event loop."""
