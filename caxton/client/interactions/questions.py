"""Questions in a protocol (FIPA SC00026, SC00027, SC00028): who agrees has not answered yet."""

from collections.abc import Callable, Sequence
from typing import Any

from caxton.acl.envelope import Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.routes.backlog import Entry
from caxton.client.routes.batches import Batch
from caxton.errors import CaxtonError, ValidationError
from caxton.protocols import Role, machine_of
from caxton.protocols.machine import key_of

QUERY_PROTOCOL = "fipa-query"
# In these an agree says that the answer follows.
AGREEING = frozenset({"fipa-request", QUERY_PROTOCOL, "fipa-request-when"})


class Answering(Batch[Message]):
    """Requests of which some are in such a protocol: an agree to one of those does not end it, what follows does.

    wait: has the next word with the same in_reply_to come here too. The deadline stays where it was.
    """

    def __init__(self, count: int, what: str, timeout_s: float, loop: Any, *, strict: bool = False) -> None:
        super().__init__(count, what, timeout_s, loop, strict=strict)
        self.wait: Callable[[Entry], None] = _nobody
        # Of requests in such a protocol, by their places.
        self.entries: dict[int, Entry] = {}

    def end(self, place: int, result: Message | CaxtonError) -> None:
        """Give a request its answer, or go on waiting for it."""
        entry = self.entries.get(place)
        if entry is None or self.results[place] is not None or not is_preliminary(result):
            super().end(place, result)
        else:
            self.wait(entry)


def is_preliminary(result: object) -> bool:
    """Whether this only says that an answer will follow."""
    return isinstance(result, Message) and result.performative is Performative.AGREE


def is_agreeing(message: Envelope) -> bool:
    """Whether a request is in such a protocol."""
    return message.rare is not None and message.rare.protocol in AGREEING


def any_agreeing(requests: Sequence[Rare]) -> bool:
    """Whether one of several requests is."""
    return any(rare.protocol in AGREEING for rare in requests)


def check_opening(protocol: str, performative: Performative) -> None:
    """Raise UnknownProtocol for a name that begins as FIPA's do and is none, ValidationError for another opening.

    What is its users' own is not looked at.
    """
    machine = machine_of(protocol)
    if machine is None or key_of(-1, Role.INITIATOR, performative) in machine.moves:
        return
    wanted = " or ".join(act.act for act in machine.expected(-1).get(Role.INITIATOR, []))
    raise ValidationError("performative", f"{protocol} begins with {wanted}, and not with {performative.act}")


def _nobody(entry: Entry) -> None:
    """Until there is somebody who waits."""
