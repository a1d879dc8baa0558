"""What a client says when its program waits no longer for what agents are to do by a protocol: `cancel`."""

import time
from collections.abc import Callable, Iterable, Sequence

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.capability_calls import CapabilityCalls
from caxton.client.calls.sendings import submit
from caxton.client.calls.stamps import KNOWN, SENT, stamped
from caxton.client.routes.backlog import Entry
from caxton.client.routes.batches import Batch
from caxton.client.routes.receipts import Receipt
from caxton.errors import NetworkError
from caxton.ids import MessageId, SecretUuidSource
from caxton.protocols import is_checked

# For how long a cancel may be on its way, in seconds; nobody waits for it.
CANCEL_TIMEOUT_S = 5.0


class CancelCalls(CapabilityCalls):
    """Ends what a call of this client has begun with agents, when that call is broken off."""

    _ids: SecretUuidSource | None = None

    def _cancel_asked(self, entries: Iterable[Entry]) -> None:
        """Cancel requests in a protocol that wait for an answer, or whose bid waits for one; nothing is waited for."""
        self._cancel([entry[0] for entry in entries if _is_open(entry)])

    def _cancel(self, asked: Sequence[Envelope]) -> None:
        """Tell agents that nobody waits any more for what they were asked by a protocol."""
        if not asked:
            return
        session, now_ms = self._open(), time.time_ns() // 1_000_000
        next_id = self._next_id(now_ms)
        batch: Batch[Receipt] = Batch(len(asked), "cancel", CANCEL_TIMEOUT_S, session.loop)
        by_lane: tuple[list[Entry], list[Entry]] = ([], [])
        for place, envelope in enumerate(asked):
            said, token = Message.of(envelope), next_id()
            session.answers.hush(token)
            cancel = Message(
                said.receiver,
                performative=Performative.CANCEL,
                protocol=said.protocol,
                conversation_id=said.conversation_id,
                reply_with=MessageId(token),
                delivery_options=DeliveryOptions(
                    priority=said.delivery_options.priority, reliability=said.delivery_options.reliability
                ),
            ).envelope
            flags = SENT[cancel.flags & KNOWN]
            entry = (stamped(cancel, next_id(), session.number, token, now_ms, flags), batch, place, True)
            by_lane[flags & DURABLE > 0].append(entry)
        submit(session, by_lane, self._tracing)

    def _next_id(self, now_ms: int) -> Callable[[], bytes]:
        if self._ids is None:
            self._ids = SecretUuidSource(now_ms)
        self._ids.renew(now_ms)
        return self._ids.next


def _is_open(entry: Entry) -> bool:
    """Whether the other end may still do something about a request whose call was broken off."""
    envelope, batch, place, _ = entry
    if envelope.rare is None or not is_checked(envelope.rare.protocol):
        return False
    result = batch.results[place]
    is_bid = isinstance(result, Message) and result.performative is Performative.PROPOSE
    return is_bid or isinstance(result, NetworkError)  # which is what a batch ends with that nobody waits for
