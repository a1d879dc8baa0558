"""`caxton.client.calls.subscription_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from functools import partial

from caxton.acl.capability import Capability
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.client.calls.message_calls import REQUEST_TIMEOUT_S
from caxton.client.connection import Agent
from caxton.client.interactions.subscription import MOST_UNREAD, QUIET_S
from caxton.sync.calls.message_calls import MessageCalls
from caxton.sync.returned import Subscription


class SubscriptionCalls(MessageCalls):
    """`subscribe`."""

    def subscribe(
        self,
        to: Agent | Capability,
        content: object = b"",
        *,
        encoding: str | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        quiet_s: float = QUIET_S,
        most_unread: int = MOST_UNREAD,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> Subscription:
        """Return a `Subscription` to what an agent tells about `content`: its informs, in a `for`.

        encoding: "json" or "msgpack" for content that is a value and no bytes. timeout_s: for its first word, which is
        agree, inform, or refuse. quiet_s: how long it may tell nothing. most_unread: of the messages that wait here to
        be read, from 1 to 1,000, and 16 MiB. Volatile unless the options say otherwise. Raises ValidationError for
        arguments that are none, SerializationError.
        """
        return Subscription(
            self._thread,
            self._made(
                partial(
                    self._client.subscribe,
                    to,
                    content,
                    encoding=encoding,
                    timeout_s=timeout_s,
                    quiet_s=quiet_s,
                    most_unread=most_unread,
                    options=options,
                )
            ),
        )
