"""What servers and applications of ASGI give each other."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
# Where a scope has the target of a request as it was sent, unless that is a path.
TARGET = "caxton.target"
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gone(Exception):
    """Whoever asked has closed the connection, or does not read: an application lets it through."""
