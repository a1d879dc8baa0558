"""What is told of a conversation follows from where its lines stand on all shards."""

from msgspec import structs

from caxton.acl.envelope import Opening
from caxton.conversations.lines import Lines
from caxton.conversations.record import Record
from caxton.conversations.view import join
from caxton.protocols import BY_NAME, Position, Standing

DONE = BY_NAME["fipa-request"].place_of["done"]
ASKED = BY_NAME["fipa-request"].place_of["asked"]


def seen(place, deadline_ms):
    """The view of a shard that has one line."""
    record = Record(bytes(16), 5, 1_000, 1_800, Opening(), 4)
    record.lines = Lines()
    record.lines.move((6, 5), Position(1, 1, place, 1, deadline_ms, bytes(16)), None, 0)
    return record


def told(record):
    return record.view(0, 0, history=False, is_archived=False)


def test_a_conversation_goes_on_while_any_shard_has_an_open_line():
    """Whatever another shard has seen the end of, and in whichever order they are joined."""
    over, going = seen(DONE, 0), seen(ASKED, 99)
    over.finish()
    assert (told(over).state, told(over).outcome) == ("completed", "done")
    for one, other in ((over, going), (going, over)):
        assert join(told(one), told(other)).state == "in progress"
    assert join(told(over), told(over)).outcome == "done"


def test_what_a_later_version_says_of_a_machine_is_not_read_as_a_state():
    """A machine that is not known here, or a place that it does not have."""
    view = told(seen(DONE, 0))
    for unknown in (Standing(True, 1, 3, 999), Standing(True, 1, 999, 1)):
        assert structs.replace(view, standing=unknown).outcome is None
