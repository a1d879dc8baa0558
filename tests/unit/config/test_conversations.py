"""The settings of conversations at their edges."""

import pytest

from caxton.config.conversations import ConversationSettings
from caxton.errors import ConfigurationError


def test_a_history_ends_at_its_bounds():
    """32 messages unless told otherwise; none and 256 are allowed, and one beyond either is refused by its option."""
    assert ConversationSettings().conversation_history == 32
    for allowed in (0, 256):
        assert ConversationSettings(conversation_history=allowed).conversation_history == allowed
    for beyond in (-1, 257):
        with pytest.raises(ConfigurationError, match="choose from 0 to 256"):
            ConversationSettings(conversation_history=beyond)


def test_participants_end_at_their_bounds():
    """100 unless told otherwise; 1 and 1,000 are allowed, and one beyond either is refused by its option."""
    assert ConversationSettings().conversation_participants == 100
    for allowed in (1, 1_000):
        assert ConversationSettings(conversation_participants=allowed).conversation_participants == allowed
    for beyond in (0, 1_001):
        with pytest.raises(ConfigurationError, match=r"choose from 1 to 1,?000"):
            ConversationSettings(conversation_participants=beyond)
