"""States of an agent: only the legal ways."""

from itertools import product

import pytest

from caxton.agents.lifecycle import AgentState, transition
from caxton.errors import InvalidStateTransition

LEGAL = {
    ("unloaded", "loaded"),
    ("unloaded", "failed"),
    ("loaded", "running"),
    ("loaded", "failed"),
    ("loaded", "stopped"),
    ("running", "paused"),
    ("running", "draining"),
    ("running", "failed"),
    ("running", "stopped"),
    ("paused", "running"),
    ("paused", "draining"),
    ("paused", "failed"),
    ("paused", "stopped"),
    ("draining", "stopped"),
    ("draining", "failed"),
    ("failed", "loaded"),
    ("failed", "stopped"),
    ("stopped", "loaded"),
}


@pytest.mark.parametrize(("state", "target"), list(product(AgentState, AgentState)), ids=str)
def test_an_agent_goes_the_legal_ways_and_no_other(state, target):
    """Every pair of states, those to themselves included."""
    if (str(state), str(target)) in LEGAL:
        assert transition("echo", state, target) is target
    else:
        ends = "already" if state == target else f"and cannot become {target}"
        with pytest.raises(InvalidStateTransition, match=f"echo is {state} {ends}"):
            transition("echo", state, target)


def test_every_state_is_reached_and_left():
    """Nothing is a dead end, and nothing but the beginning has no way in."""
    assert {state for state, _ in LEGAL} == set(map(str, AgentState))
    assert {target for _, target in LEGAL} == set(map(str, AgentState)) - {"unloaded"}
