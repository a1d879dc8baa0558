import json

import pytest

from caxton.errors import (
    AgentError,
    AgentNotFound,
    CircuitBreakerOpen,
    InvalidManifest,
    QueueFull,
    ShardUnavailable,
    Timeout,
)
from caxton.gateway.problem import Problem, retry_after_s


def test_a_problem_has_what_the_standard_asks_for_and_the_fields_of_the_error():
    """Type, title, status and detail of RFC 9457; code and fields, so that a program can raise the error again."""
    assert json.loads(Problem.of(AgentNotFound("echo")).encode()) == {
        "type": "urn:caxton:error:AgentNotFound",
        "title": "Agent not found",
        "status": 404,
        "detail": "there is no agent echo; see `caxton agent list`",
        "code": "AgentNotFound",
        "fields": {"agent": "echo"},
    }


def test_what_does_not_print_is_escaped_in_words():
    """Texts of others control nothing where a problem is shown."""
    problem = Problem.of(AgentNotFound("a\x1b[31m\u202e"))
    assert problem.detail.isprintable()


def test_every_value_of_a_field_can_be_told():
    """Also what JSON does not know, such as a lone surrogate."""
    told = json.loads(Problem.of(InvalidManifest("f", "p", "r", ("\udcff", "x"))).encode())
    assert told["fields"]["mistakes"] == ["\udcff", "x"]


@pytest.mark.parametrize(
    ("error", "after_s"),
    [
        (CircuitBreakerOpen("a", 12.4), 12),
        (CircuitBreakerOpen("a", 0.1), 1),
        (QueueFull("a", 1, 1), 1),
        (ShardUnavailable("1", "restarting"), 1),
        (Timeout("x", 1), None),
        (AgentError("a", -1), None),
    ],
)
def test_when_to_ask_again_is_told_where_it_is_known(error, after_s):
    """An open breaker knows it; what has no room now is asked again in a second."""
    assert retry_after_s(error) == after_s
