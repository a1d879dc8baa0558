import pytest

from caxton.errors import AgentNotFound, NetworkError, to_fields
from caxton.wire.answered import answered
from caxton.wire.calls import Agents, Done, Failed


def test_an_answer_of_the_kind_that_was_asked_for_is_returned():
    """Whoever asks for a kind gets the answer itself."""
    done = Done()
    assert answered(done, Done, "shard 3") is done


def test_an_error_in_place_of_an_answer_is_raised():
    """What was answered with an error raises it, with its fields."""
    with pytest.raises(AgentNotFound, match="there is no agent x"):
        answered(Failed("AgentNotFound", to_fields(AgentNotFound("x"))), Done, "shard 3")


def test_another_answer_than_the_one_asked_for_is_no_answer():
    """An answer to something else says who gave it, what it is and what it should be."""
    with pytest.raises(NetworkError, match="shard 3: it answered Agents and was asked for Done"):
        answered(Agents([], more=False), Done, "shard 3")
