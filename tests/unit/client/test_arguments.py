import pytest

from caxton.client.calls.arguments import as_typed, seconds
from caxton.client.client import connect
from caxton.errors import AgentNotFound, ConfigurationError, InvalidStateTransition, ShardUnavailable, ValidationError
from caxton.ids import AgentId
from caxton.printable import shown

HUGE = 10**5_000


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [HUGE, -HUGE, Unshowable()], ids=["huge", "negative", "raises"])
def test_what_cannot_be_shown_is_refused_as_what_it_is(value):
    """A number of thousands of digits, or a value whose repr raises, is a wrong argument and told as one."""
    with pytest.raises(ValidationError, match=f"type {type(value).__name__}, is not a number of seconds"):
        seconds(value)
    with pytest.raises(ValidationError, match="neither an agent's id nor its name"):
        connect("/nowhere").id_of(value)
    with pytest.raises(ConfigurationError, match="is not a path"):
        connect(value)


def test_what_can_be_shown_is_cut():
    """Other values are shown by their repr, 80 characters of it."""
    assert shown("a" * 100) == "'" + "a" * 79
    assert shown(5) == "5"


@pytest.mark.parametrize("timeout_s", [-1, -0.001, float("nan"), None, "5", True])
def test_a_timeout_that_can_be_none_is_refused(timeout_s):
    """Neither before now nor no number; 0 is up at once."""
    with pytest.raises(ValidationError, match="from 0 to 1,000,000,000"):
        seconds(timeout_s)
    assert (seconds(0), seconds(2)) == (0.0, 2.0)


def test_an_id_given_as_text_is_told_of():
    """Who gives the 16 digits of an id is told how an id is given; for other names the list of agents helps."""
    number = AgentId(5)
    assert "AgentId.parse" in str(as_typed(AgentNotFound(str(number)), str(AgentId(77)), number))
    assert "caxton agent list" in str(as_typed(AgentNotFound(str(number)), "echo", number))


def test_errors_say_what_to_do():
    """A stopped agent is deployed again, and a failed shard restarted; others say what they said."""
    assert "remove it and deploy it again" in str(InvalidStateTransition("a", "stopped", "running"))
    assert str(InvalidStateTransition("a", "paused", "draining")).endswith("cannot become draining")
    assert "caxton restart" in str(ShardUnavailable(0, "failed"))
    assert "caxton restart" not in str(ShardUnavailable(0, "restarting"))
