"""The client of programs without an event loop: `caxton.connect_sync`, and what its calls return."""

from caxton.sync.called import BatchHandler, EachHandler
from caxton.sync.client import Client, connect_sync
from caxton.sync.returned import AgentListing, AttachedAgent, Hosting, Inbox, Subscription

__all__ = [
    "AgentListing",
    "AttachedAgent",
    "BatchHandler",
    "Client",
    "EachHandler",
    "Hosting",
    "Inbox",
    "Subscription",
    "connect_sync",
]
