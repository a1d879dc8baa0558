"""Everything that can go wrong, as types with fields. Each says what was wrong, where, and what to do.

    CaxtonError
    ├── ValidationError ............ a value outside its bounds, before anything was sent
    │   ├── InvalidMessageFormat ... a message, frame or guest output that cannot be read
    │   ├── MessageTooLarge
    │   └── DeadLetterNotFound ..... no dead letter has this number any more, or ever had
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
    │       └── AnswerNotKept ...... and the first message with it has no answer
    ├── Timeout .................... nobody answered in time; what was asked may have happened or not
    ├── NetworkError ............... a peer ended; what was under way may have happened or not
    ├── SecurityError .............. a sender, session or mark that is not what it claims
    ├── DeploymentError ............ an agent that was not deployed
    │   ├── AgentAlreadyRegistered
    │   │   └── AlreadyAttached .... another client, or another block of this one, runs it
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

from caxton.errors.agents import (
    AgentAlreadyRegistered,
    AgentError,
    AgentFailure,
    AlreadyAttached,
    DeploymentError,
    HandlerFailed,
    InvalidModule,
    InvalidStateTransition,
    ModuleUnknown,
    ResourceLimitExceeded,
    WasmExecutionFailed,
)
from caxton.errors.given import (
    ConfigurationError,
    DeadLetterNotFound,
    InvalidMessageFormat,
    MessageTooLarge,
    Unsupported,
    ValidationError,
)
from caxton.errors.reached import NetworkError, ResourceExhausted, RuntimeNotFound, SecurityError, Timeout, UnknownError
from caxton.errors.root import CaxtonError
from caxton.errors.routing import (
    AgentNotFound,
    AgentNotRunning,
    AlreadyAccepted,
    AnswerNotKept,
    CircuitBreakerOpen,
    MessageExpired,
    QueueFull,
    RoutingError,
    SessionNotFound,
    ShardUnavailable,
)
from caxton.errors.storage import StorageDamaged, StorageError, StorageFull
from caxton.errors.travel import BY_NAME, from_fields, to_fields

__all__ = [
    "BY_NAME",
    "AgentAlreadyRegistered",
    "AgentError",
    "AgentFailure",
    "AgentNotFound",
    "AgentNotRunning",
    "AlreadyAccepted",
    "AlreadyAttached",
    "AnswerNotKept",
    "CaxtonError",
    "CircuitBreakerOpen",
    "ConfigurationError",
    "DeadLetterNotFound",
    "DeploymentError",
    "HandlerFailed",
    "InvalidMessageFormat",
    "InvalidModule",
    "InvalidStateTransition",
    "MessageExpired",
    "MessageTooLarge",
    "ModuleUnknown",
    "NetworkError",
    "QueueFull",
    "ResourceExhausted",
    "ResourceLimitExceeded",
    "RoutingError",
    "RuntimeNotFound",
    "SecurityError",
    "SessionNotFound",
    "ShardUnavailable",
    "StorageDamaged",
    "StorageError",
    "StorageFull",
    "Timeout",
    "UnknownError",
    "Unsupported",
    "ValidationError",
    "WasmExecutionFailed",
    "from_fields",
    "to_fields",
]
