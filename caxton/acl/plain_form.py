"""Many messages in their JSON form, read at once: nearly all are plain, and alike.

A plain one has the names of fields with underscores, its receiver as a name or an id, and nothing that is stamped. What
is read here is what `json_form` reads, in a sixth of the time; all else, and whatever is wrong, is left to it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

from caxton.acl.fields import MAX_TEXT
from caxton.acl.json_form import read_content, read_options
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.errors import ValidationError
from caxton.ids import AgentId, ConversationId, MessageId

# Names, and kinds of options, that are remembered for those that come again; and bytes of options that are.
REMEMBERED, OPTIONS_BYTES = 256, 1 << 10
_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | None


class _Base64(msgspec.Struct, forbid_unknown_fields=True):
    base64: str


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message as it is written."""

    receiver_name: _Text = None
    receiver: _Text = None
    content: str | _Base64 = ""
    performative: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | msgspec.UnsetType = msgspec.UNSET
    delivery_options: msgspec.Raw = msgspec.Raw()
    conversation_id: _Text = None
    reply_with: _Text = None
    in_reply_to: _Text = None
    reply_to: _Text = None
    protocol: _Text = None
    language: _Text = None
    encoding: _Text = None
    ontology: _Text = None
    trace_context: _Text = None


_decode = msgspec.json.Decoder(_Plain).decode


class PlainForms:
    """Reads the messages of one request.

    id_of: of a name, as a client has it. performative: of those that say none.
    """

    def __init__(self, id_of: Callable[[str], AgentId], performative: Performative) -> None:
        self._id_of = lru_cache(REMEMBERED)(id_of)
        self._options = lru_cache(REMEMBERED)(_options)
        self._performative = performative

    def read(self, raw: msgspec.Raw | bytes) -> Message | None:
        """Return the message that a text of JSON is; None where a closer look says which it is, or why it is none."""
        try:
            return self._message(_decode(raw))
        except (msgspec.MsgspecError, ValidationError, ValueError, RecursionError):
            return None

    def _message(self, form: _Plain) -> Message | None:
        content, options, name, receiver = form.content, form.delivery_options, form.receiver_name, form.receiver
        if receiver is None and name is None:
            return None
        return Message(
            self._id_of(name) if receiver is None else AgentId.parse(receiver),
            content.encode() if isinstance(content, str) else read_content({"base64": content.base64}),
            performative=self._performative if form.performative is msgspec.UNSET else form.performative,
            language=form.language,
            encoding=form.encoding,
            ontology=form.ontology,
            protocol=form.protocol,
            conversation_id=None if form.conversation_id is None else ConversationId.parse(form.conversation_id),
            reply_with=None if form.reply_with is None else MessageId.parse(form.reply_with),
            in_reply_to=None if form.in_reply_to is None else MessageId.parse(form.in_reply_to),
            reply_to=None if form.reply_to is None else AgentId.parse(form.reply_to),
            trace_context=form.trace_context,
            receiver_name=name,
            delivery_options=self._options(bytes(options)) if options else DEFAULT_OPTIONS,
        )


def _options(raw: bytes) -> DeliveryOptions:
    """Return delivery options; raises ValidationError for what is none, or takes much room."""
    if len(raw) > OPTIONS_BYTES:
        raise ValidationError("delivery_options", f"they have {len(raw)} bytes")
    return read_options(msgspec.json.decode(raw))
