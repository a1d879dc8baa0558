"""Everything that can go wrong, as types with fields. Each says what was wrong, where, and what to do.

    CaxtonError
    ├── ValidationError ............ a value outside its bounds, before anything was sent
    │   ├── InvalidMessageFormat ... a message, frame or guest output that cannot be read
    │   └── MessageTooLarge
    ├── ConfigurationError ......... an option, a directory or a runtime that does not fit
    ├── RuntimeNotFound ............ nothing serves where we looked
    ├── RoutingError ............... a message that was not placed; it had no effect
    │   ├── AgentNotFound
    │   ├── AgentNotRunning
    │   ├── QueueFull
    │   ├── MessageExpired
    │   ├── CircuitBreakerOpen ..... the agent failed too often in a row, and is left alone for a while
    │   ├── ShardUnavailable
    │   ├── SessionNotFound
    │   └── AlreadyAccepted ........ its idempotency key is known: what was asked was asked before
    ├── Timeout .................... nobody answered in time; what was asked may have happened or not
    ├── NetworkError ............... a peer ended; what was under way may have happened or not
    ├── SecurityError .............. a sender, session or mark that is not what it claims
    ├── DeploymentError ............ an agent that was not deployed
    │   ├── AgentAlreadyRegistered
    │   ├── ModuleUnknown ...... this runtime has no such module: upload it first
    │   └── InvalidModule .......... not wasm, unknown imports, missing exports, beyond the compile limits
    ├── InvalidStateTransition ..... an agent cannot go from this state to that one
    ├── StorageError ............... a shard's file could not be read or written
    │   ├── StorageFull ............ there is no room; nothing was written, and it may be tried again
    │   └── StorageDamaged ......... the file is not what was written to it
    ├── ResourceExhausted .......... the runtime has no more of something that is bounded
    ├── Unsupported ................ asked for what this version does not have
    ├── UnknownError ............... an error that this version does not know: the other side is another one
    └── AgentFailure ............... the agent took the message and failed
        ├── WasmExecutionFailed .... a trap
        ├── HandlerFailed .......... the handler of an attached agent raised, or returned what cannot be sent
        ├── ResourceLimitExceeded .. fuel, time, memory or output beyond the agent's limits
        └── AgentError ............. the agent's own error code

Errors travel as their class's name and their fields (`to_fields`, `from_fields`).
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self


@dataclass(eq=False)
class CaxtonError(Exception):
    """The root of every error that Caxton raises on purpose."""

    says: ClassVar[str] = "something went wrong"
    hint: ClassVar[str] = ""

    def __str__(self) -> str:
        text = self.says.format_map({f.name: getattr(self, f.name) for f in fields(self)})
        return f"{text}; {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...], dict[str, Any]]:
        # Not by `args`, which lack what was given by name; notes travel with the error.
        notes = {"__notes__": [*self.__notes__]} if hasattr(self, "__notes__") else {}
        return type(self), tuple(getattr(self, f.name) for f in fields(self)), notes

    def suggesting(self, hint: str) -> Self:
        """Say what to do in words of its own instead of its kind's; they do not travel. Returns the error itself."""
        self.__dict__["hint"] = hint
        return self

    def with_context(self, context: str) -> Self:
        """Note where this happened; the note is shown with the traceback. Returns the error itself."""
        self.add_note(context)
        return self


@dataclass(eq=False)
class ValidationError(CaxtonError):
    """A value outside its bounds."""

    field: str
    problem: str
    says = "{field}: {problem}"


@dataclass(eq=False)
class InvalidMessageFormat(ValidationError):
    """Bytes that do not decode to what they should be, or a message that breaks the rules of its kind."""


@dataclass(eq=False)
class MessageTooLarge(ValidationError):
    """Content beyond what the receiver takes; sizes in bytes."""

    size: int = 0
    limit: int = 0
    says = "{field}: {size} bytes, and the limit is {limit}"

    @classmethod
    def of(cls, size: int, limit: int, field: str = "content") -> Self:
        """Build the error for `size` bytes where `limit` are allowed."""
        return cls(field, "too large", size, limit)


@dataclass(eq=False)
class ConfigurationError(CaxtonError):
    """An option, a directory or a file that does not fit; `remedy` says what to do."""

    what: str
    problem: str
    remedy: str
    says = "{what}: {problem}; {remedy}"


@dataclass(eq=False)
class RuntimeNotFound(CaxtonError):
    """No runtime serves in this directory."""

    runtime_dir: str
    says = "no runtime is serving in {runtime_dir}"
    hint = "start one with `caxton serve`, or name its directory with --runtime-dir or CAXTON_RUNTIME_DIR"


@dataclass(eq=False)
class RoutingError(CaxtonError):
    """A message that was not placed. It had no effect."""


@dataclass(eq=False)
class AgentNotFound(RoutingError):
    """Nobody has this id or name."""

    agent: str
    says = "there is no agent {agent}"
    hint = "see `caxton agent list`"


@dataclass(eq=False)
class AgentNotRunning(RoutingError):
    """The agent is there, but takes no messages in this state."""

    agent: str
    state: str
    says = "agent {agent} is {state} and takes no messages"


@dataclass(eq=False)
class QueueFull(RoutingError):
    """The receiver's mailbox, or the way to it, is full; in messages. capacity 0: only its shard knows it."""

    receiver: str
    depth: int
    capacity: int
    says = "the queue for {receiver} is full"
    hint = "wait and send again, or send at the pace of the receiver"

    def __str__(self) -> str:
        if not self.capacity:
            return super().__str__()
        return f"{self.says.format(receiver=self.receiver)} ({self.depth} of {self.capacity}); {self.hint}"


@dataclass(eq=False)
class MessageExpired(RoutingError):
    """The message waited for its receiver longer than its own timeout, in seconds; it was not handled."""

    receiver: str
    timeout_s: float
    says = "the message waited {timeout_s:g} s for {receiver}, as long as it was to, and was not handled"


@dataclass(eq=False)
class CircuitBreakerOpen(RoutingError):
    """The agent failed too often in a row, and is left alone for so many seconds more."""

    agent: str
    retry_in_s: float
    says = "agent {agent} failed too often in a row; the next message is let through in {retry_in_s:.1f} s"
    hint = "see `caxton deadletter list` for why, and send again later"


@dataclass(eq=False)
class ShardUnavailable(RoutingError):
    """The worker that owns this shard is not serving."""

    shard: int
    state: str
    says = "shard {shard} is {state}"
    hint = "see `caxton health`"


@dataclass(eq=False)
class SessionNotFound(RoutingError):
    """The client that this message is for is gone."""

    session: str
    says = "session {session} has ended"


@dataclass(eq=False)
class AlreadyAccepted(RoutingError):
    """Its idempotency key is known: nothing was done. A send has a receipt that says so, a request the first answer."""

    agent: str
    says = "agent {agent} was sent a message with this idempotency key before, and is not sent another"


@dataclass(eq=False)
class Timeout(CaxtonError, TimeoutError):
    """No answer in time, in seconds. What was asked for may have happened or not. Python's own TimeoutError too."""

    what: str
    timeout_s: float
    says = "{what}: no answer within {timeout_s:g} s; whether it happened is unknown"


@dataclass(eq=False)
class NetworkError(CaxtonError):
    """A peer ended while something was under way to it. It may have happened or not."""

    peer: str
    problem: str
    says = "{peer}: {problem}; whether it happened is unknown"


@dataclass(eq=False)
class SecurityError(CaxtonError):
    """A sender, session or mark that is not what it claims to be."""

    problem: str
    says = "{problem}"


@dataclass(eq=False)
class DeploymentError(CaxtonError):
    """An agent that was not deployed; nothing of it remains."""

    agent: str
    problem: str
    says = "agent {agent} was not deployed: {problem}"


@dataclass(eq=False)
class AgentAlreadyRegistered(DeploymentError):
    """The name is taken."""

    problem: str = "the name is taken"
    hint = "choose another name, or remove the old agent first"


@dataclass(eq=False)
class ModuleUnknown(DeploymentError):
    """This runtime has not compiled the module yet."""


@dataclass(eq=False)
class InvalidModule(DeploymentError):
    """The module is refused: `problem` says why, `names` lists the imports or exports at fault."""

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = f" ({', '.join(self.names)})" if self.names else ""
        return f"{super().__str__()}{listed}"


@dataclass(eq=False)
class InvalidStateTransition(CaxtonError):
    """An agent cannot go from this state to that one."""

    agent: str
    state: str
    target: str
    says = "agent {agent} is {state} and cannot become {target}"


@dataclass(eq=False)
class StorageError(CaxtonError):
    """A shard's file could not be read or written."""

    path: str
    problem: str
    says = "{path}: {problem}"


@dataclass(eq=False)
class StorageFull(StorageError):
    """There is no room on the disk for a transaction; nothing of it was written, and it may be tried again."""

    hint = "make room on its disk: what waits goes on by itself"


@dataclass(eq=False)
class StorageDamaged(StorageError):
    """What stands in a shard's file is not what was written to it, or what was written is gone."""

    hint = (
        "stop the runtime and restore this file from a backup, or move it and the files beside it (its name with -wal, "
        "and .mark) away: then `caxton serve` begins that shard anew, without its agents and messages"
    )


@dataclass(eq=False)
class ResourceExhausted(CaxtonError):
    """The runtime has no more of something that is bounded."""

    resource: str
    limit: int
    says = "no more {resource}: the limit is {limit}"


@dataclass(eq=False)
class Unsupported(CaxtonError):
    """Asked for what this version does not have."""

    feature: str
    instead: str
    says = "{feature} is not in this version; {instead}"


@dataclass(eq=False)
class UnknownError(CaxtonError):
    """Whoever was asked answered with an error that this version does not know, or cannot read: `kind` is its name."""

    kind: str
    told: str
    says = "an error that this version does not know: {kind} {told}"


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
class ResourceLimitExceeded(AgentFailure):
    """A guest went beyond one of its limits; the unit of `limit` is in the resource's name."""

    agent: str
    resource: str
    limit: int
    detail: str
    says = "agent {agent} went beyond its {resource} of {limit} ({detail})"


@dataclass(eq=False)
class AgentError(AgentFailure):
    """The agent answered with an error code of its own (negative, as its handle_message returned it)."""

    agent: str
    error_code: int
    says = "agent {agent} answered with its error code {error_code}"


def _tree(root: type[CaxtonError]) -> dict[str, type[CaxtonError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_NAME = _tree(CaxtonError)


def to_fields(error: CaxtonError) -> dict[str, Any]:
    """Return the error's fields by name, as plain values that any codec carries."""
    return {f.name: getattr(error, f.name) for f in fields(error)}


def from_fields(name: str, values: dict[str, Any]) -> CaxtonError:
    """Build the error that `name` and its fields describe; what this version does not know is an UnknownError."""
    kind = BY_NAME.get(name)
    if kind is None:
        return UnknownError(f"{name:.80}", f"{values!r:.200}")
    known = {f.name for f in fields(kind)}
    try:
        error = kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key in known})
        str(error)  # fields of the wrong kind show here, and not where somebody prints the error
    except (TypeError, ValueError):
        return UnknownError(name, f"{values!r:.200}")
    return error
