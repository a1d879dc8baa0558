"""Agents that were not deployed, cannot change, or failed."""

from dataclasses import dataclass
from typing import ClassVar

from caxton.errors.root import CaxtonError


@dataclass(eq=False)
class DeploymentError(CaxtonError):
    """An agent that was not deployed; nothing of it remains. `stage` says how far it came: it goes with the class."""

    stage: ClassVar[str] = "registering"

    agent: str
    problem: str
    says = "agent {agent} was not deployed: {problem}"


@dataclass(eq=False)
class AgentAlreadyRegistered(DeploymentError):
    """The name is taken."""

    problem: str = "the name is taken"
    hint = "choose another name, or remove the old agent first"


@dataclass(eq=False)
class AlreadyAttached(AgentAlreadyRegistered):
    """Another program runs this agent, or several share it: one at a time does, unless all attach it as a group."""

    problem: str = "another client has it attached"
    says = "agent {agent} was not attached: {problem}"
    hint = (
        "attach it with replace=True to take it over, which loses nothing, or end the block or the program that has it "
        "first: what is sent to it meanwhile waits; programs that all attach it with group=True, and with the same "
        "order, share its messages"
    )


@dataclass(eq=False)
class ModuleUnknown(DeploymentError):
    """This runtime has not compiled the module yet."""

    stage = "loading"


@dataclass(eq=False)
class InvalidModule(DeploymentError):
    """The module is refused: `problem` says why, `names` lists the imports or exports at fault."""

    stage = "validating"

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = f" ({', '.join(self.names)})" if self.names else ""
        return f"{super().__str__()}{listed}"


@dataclass(eq=False)
class NoMemoryExport(InvalidModule):
    """The module does not export its memory, in which all messages go in and out."""


@dataclass(eq=False)
class InvalidStateTransition(CaxtonError):
    """An agent cannot go from this state to that one."""

    agent: str
    state: str
    target: str
    says = "agent {agent} is {state} and cannot become {target}"

    def __str__(self) -> str:
        same = f"agent {self.agent} is {self.state} already" if self.state == self.target else ""
        ends = "a stopped agent stays so; remove it and deploy it again" if self.state == "stopped" else ""
        return "; ".join(filter(None, (same or super().__str__(), ends)))


@dataclass(eq=False)
class AgentFailure(CaxtonError):
    """The agent took the message and failed."""


@dataclass(eq=False)
class WasmExecutionFailed(AgentFailure):
    """The guest trapped: `reason` is the kind of trap, `detail` what the sandbox said of it."""

    agent: str
    reason: str
    detail: str
    says = "agent {agent} trapped: {reason} ({detail})"


@dataclass(eq=False)
class HandlerFailed(AgentFailure):
    """An attached agent's handler raised `exception`, a type's name, or returned what cannot be sent; `detail` says it.

    The program that runs the handler has the traceback in its log.
    """

    agent: str
    exception: str
    detail: str
    says = "agent {agent} failed: its handler raised {exception} ({detail})"


@dataclass(eq=False)
class ProgramLost(AgentFailure):
    """The program of an attached agent that was given a volatile message has ended, or lost it, before it said more."""

    agent: str
    says = (
        "the program of agent {agent} that had the message is gone, lost it to another, or was not heard of; whether "
        "it was handled is unknown"
    )
    hint = "what is sent with the reliability at_least_once is given again"


@dataclass(eq=False)
class ResourceLimitExceeded(AgentFailure):
    """A guest went beyond one of its limits; the unit of `limit` is in the resource's name.

    attempted: how much it wanted, in the same unit; 0 when nobody knows, as of a call that was stopped at its limit.
    """

    agent: str
    resource: str
    limit: int
    detail: str
    attempted: int = 0
    says = "agent {agent} went beyond its {resource} of {limit} ({detail})"

    def __str__(self) -> str:
        wanted = f"; it wanted {self.attempted}" if self.attempted else ""
        return f"{super().__str__()}{wanted}"


@dataclass(eq=False)
class RetryLimitExceeded(AgentFailure):
    """An agent failed on a message as often as it may be tried: `last` says how at last. Told to whom it escalates."""

    agent: str
    attempts: int
    last: str
    says = "agent {agent} failed on a message {attempts} times, and it is not tried again: {last}"


@dataclass(eq=False)
class AgentError(AgentFailure):
    """The agent answered with an error code of its own (negative, as its handle_message returned it)."""

    agent: str
    error_code: int
    says = "agent {agent} answered with its error code {error_code}"
