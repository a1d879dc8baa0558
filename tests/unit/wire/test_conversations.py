"""How many conversations one call may ask for."""

import msgspec
import pytest

from caxton.wire.conversations import FindConversations, ListConversations


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (lambda count: FindConversations([bytes(16)] * count), FindConversations),
        (lambda count: ListConversations(limit=count), ListConversations),
    ],
)
def test_a_page_has_at_most_two_hundred(made, kind):
    """200 are read, and one more is no call."""
    for count in (1, 200):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(made(count)), type=kind) == made(count)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(made(201)), type=kind)
