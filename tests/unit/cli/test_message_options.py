from caxton.acl.options import DEFAULT_LANE_OF_SEND, Lane, Level
from caxton.cli.message_options import Priority, Reliability


def test_the_command_line_knows_every_lane_and_level():
    """What can be chosen are the lanes and levels that there are, by their own names."""
    assert {one.value for one in Reliability} == {lane.reliability for lane in Lane}
    assert {one.name for one in Priority} == {level.name for level in Level}


def test_the_command_sends_as_the_client_does():
    """What `message send` does unless told otherwise is what the client's `send` does."""
    assert Reliability.AT_LEAST_ONCE.value == DEFAULT_LANE_OF_SEND.reliability
