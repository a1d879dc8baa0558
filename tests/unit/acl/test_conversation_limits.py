"""What somebody may ask of a conversation, at its edges, and what is made of it where it comes from a socket."""

import pytest

from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.envelope import Opening
from caxton.errors import ValidationError

# By field: the least and the most, as the docstring of ConversationLimits promises them.
EDGES = {
    "max_participants": (1, 1_000),
    "timeout_s": (300, 86_400),
    "max_hops": (1, 100_000),
    "max_turns": (1, 1_000_000_000),
    "max_bytes": (1, 1 << 50),
}
GIVEN = {
    "max_participants": "participants",
    "timeout_s": "timeout_s",
    "max_hops": "hops",
    "max_turns": "turns",
    "max_bytes": "size",
}


@pytest.mark.parametrize("field", EDGES)
def test_a_limit_ends_at_its_bounds(field):
    """The least and the most can be had, one beyond either is refused by its name, and so is what is no number."""
    least, most = EDGES[field]
    for allowed in (least, most, None):
        assert getattr(ConversationLimits(**{field: allowed}), field) == allowed
    for refused in (least - 1, most + 1, True, "7", 1.0):
        with pytest.raises(ValidationError, match=f"not a whole number from {least} to {most}") as caught:
            ConversationLimits(**{field: refused})
        assert caught.value.field == field


@pytest.mark.parametrize("field", EDGES)
def test_what_a_socket_brings_is_within_the_bounds(field):
    """A frame may hold any number: it is brought within the bounds, and none stays none."""
    least, most = EDGES[field]
    for given, kept in ((most + 1, most), (most, most), (least, least), (0, None)):
        assert getattr(ConversationLimits.of(Opening(**{GIVEN[field]: given})), field) == kept


def test_whether_contents_are_kept_is_a_yes_or_a_no():
    """A word that looks like one is neither."""
    with pytest.raises(ValidationError, match="not True or False"):
        ConversationLimits(keep_contents="no")
