"""The states of an agent and the ways between them: every other way is an error."""

from enum import StrEnum

from caxton.errors import InvalidStateTransition


class AgentState(StrEnum):
    """Where an agent stands. Only `RUNNING` takes messages, and runs turns; `PAUSED` and `FAILED` keep durable ones."""

    UNLOADED = "unloaded"
    LOADED = "loaded"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    FAILED = "failed"
    STOPPED = "stopped"


# As people are told them. An agent whose turns a client runs is attached, or detached while none does.
TOLD_STATES = ("running", "attached", "detached", "paused", "draining", "failed", "stopped")
_NEXT = {
    AgentState.UNLOADED: {AgentState.LOADED, AgentState.FAILED},
    AgentState.LOADED: {AgentState.RUNNING, AgentState.FAILED, AgentState.STOPPED},
    AgentState.RUNNING: {AgentState.PAUSED, AgentState.DRAINING, AgentState.FAILED, AgentState.STOPPED},
    AgentState.PAUSED: {AgentState.RUNNING, AgentState.DRAINING, AgentState.FAILED, AgentState.STOPPED},
    AgentState.DRAINING: {AgentState.STOPPED, AgentState.FAILED},
    AgentState.FAILED: {AgentState.LOADED, AgentState.STOPPED},
    AgentState.STOPPED: {AgentState.LOADED},
}


def transition(agent: str, state: AgentState, target: AgentState) -> AgentState:
    """Return `target` if an agent in `state` may go there; raises InvalidStateTransition if not."""
    if target not in _NEXT[state]:
        raise InvalidStateTransition(agent, state.value, target.value)
    return target
