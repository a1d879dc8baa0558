"""The id of a conversation on a command line."""

from caxton.errors import ParseError
from caxton.ids import ConversationId


def conversation_id(text: str, *, may_be_new: bool = False) -> ConversationId:
    """Return the id that is written there. Raises ParseError, which says where ids are shown."""
    try:
        return ConversationId.parse(text)
    except ParseError as error:
        new = "say new, or " if may_be_new else ""
        raise error.suggesting(f"{new}take an id that `caxton conversation list` shows") from None
