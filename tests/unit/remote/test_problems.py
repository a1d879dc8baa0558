"""Problems of a gateway are the errors that they were."""

import pytest

from caxton import errors
from caxton.gateway.problem import Problem
from caxton.remote.problems import error_of


@pytest.mark.parametrize(
    "error",
    [
        errors.AgentNotFound("echo"),
        errors.AccessDenied("role", "admin", "viewer"),
        errors.QueueFull("echo", 5, 5),
        errors.NoCapableAgents("say", ("a", "b")),
        errors.ValidationError("limit", "0 is too little"),
        errors.Timeout("agent", 5.0),
    ],
)
def test_an_error_arrives_as_it_was_raised(error):
    """With its type and all of its fields."""
    problem = Problem.of(error)
    told = error_of("there", problem.status, problem.encode())

    assert type(told) is type(error)
    assert (str(told), errors.to_fields(told)) == (str(error), errors.to_fields(error))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidMessageFormat),
        (404, errors.ConfigurationError),
        (405, errors.ConfigurationError),
        (408, errors.Timeout),
        (413, errors.ValidationError),
        (415, errors.UnknownError),
        (421, errors.UnknownError),
        (500, errors.UnknownError),
        (503, errors.ResourceExhausted),
    ],
)
def test_a_problem_of_the_request_itself_is_an_error_too(status, kind):
    """It says what the gateway said."""
    told = error_of("there", status, Problem.told(status, "this is so").encode())

    assert type(told) is kind
    assert "this is so" in str(told)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b'{"code": 1}', b"\xff\xfe", b'{"a": 1}'])
def test_what_no_gateway_says_is_told_as_it_is(body):
    """A proxy in between may answer in its own words."""
    assert "502" in str(error_of("there", 502, body))


def test_an_error_of_a_later_version_is_unknown():
    """It keeps its name."""
    told = error_of("there", 409, b'{"code": "TooGreen", "detail": "x", "fields": {}}')

    assert isinstance(told, errors.UnknownError)
    assert "TooGreen" in str(told)
