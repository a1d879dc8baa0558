"""`caxton conversation show` as text and as JSON, from what a runtime tells."""

import msgspec

from caxton.acl.envelope import Opening
from caxton.cli.commands.conversation import _shown, _told, view_values
from caxton.conversations.summary import Summary
from caxton.conversations.view import ConversationView

SAID = Summary(bytes(15) + b"\1", 16, 5, 6, 1_767_225_600_000, 3)
WORD = Summary(bytes(15) + b"\2", 6, 6, 5, 1_767_225_600_001, 40, bytes(15) + b"\1", None, automatic=True)
VIEW = ConversationView(bytes(16), 5, (5, 6), 1, "", 2, 43, 1, 1, 1, history=(SAID, WORD))


def test_what_the_runtime_says_is_in_nobody_s_name():
    """That a message failed is the runtime's word, though it travels under that of whom it was for."""
    rows = _told(VIEW, {5: "client", 6: "tally"})
    assert [row[2:4] for row in rows] == [["client", "tally"], ["the runtime", "client"]]
    assert [said["automatic"] for said in view_values(VIEW)["history"]] == [False, True]


def test_people_are_shown_no_brackets_and_braces():
    """Shards and limits are words, as the participants are."""
    view = msgspec.structs.replace(VIEW, shards=(0, 2), limits_given=Opening(turns=7))

    assert _shown(view, {5: "client", 6: "tally"}) == {
        "participants": "client, tally",
        "shards": "0, 2",
        "limits": "max_turns 7",
    }
    assert _shown(VIEW, {})["limits"] == "as usual"
