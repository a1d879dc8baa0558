"""Everything that can go wrong, as types with fields. Each says what was wrong, where, and what to do.

    CaxtonError
    ├── ValidationError ............ a value outside its bounds, before anything was sent
    │   ├── ParseError ............. a text or a number that is no id; Python's ValueError too
    │   ├── InvalidMessageFormat ... a message, frame or guest output that cannot be read
    │   │   └── SerializationError . a value that cannot be content, or content that is no such value
    │   ├── MessageTooLarge
    │   ├── IdempotencyKeyReused ... its idempotency key is known with other content
    │   ├── DeadLetterNotFound ..... no dead letter has this number any more, or ever had
    │   ├── MessageNotFound ........ no message with this id is kept any more, or ever was
    │   ├── UnknownProtocol ........ a protocol whose name begins with fipa- or caxton:, and that is none
    │   ├── TokenNotFound .......... no token has this id any more, or ever had
    │   └── ConversationNotFound ... no shard knows a conversation with this id any more, or ever did
    ├── ConfigurationError ......... an option, a directory or a runtime that does not fit
    │   └── InvalidManifest ........ a manifest file with mistakes, all of which it names
    ├── RuntimeNotFound ............ nothing serves where we looked
    ├── OtherProtocol .............. a runtime and a client that have no version of the protocol in common
    ├── RoutingError ............... a message that was not placed; it had no effect
    │   ├── AgentNotFound
    │   ├── AgentNotRunning
    │   │   └── AgentTakenOver ..... another program attached what this one had, with replace=True
    │   ├── LeaseEnded ............. an end from an attached agent whose program was silent for too long
    │   ├── QueueFull
    │   ├── HopLimitExceeded ....... what follows from one message has gone as far as it may
    │   ├── WorkLimitExceeded ...... what follows from one message is as much as it may be
    │   ├── Deadlock ............... the agent waits for what asks it, and handles no more at a time
    │   ├── MessageExpired
    │   ├── CircuitBreakerOpen ..... the agent failed too often in a row, and is left alone for a while
    │   ├── NoCapableAgents ........ nobody who has the capability is healthy and runs, or all were tried
    │   ├── ShardUnavailable
    │   ├── SessionNotFound
    │   ├── TooManyParticipants
    │   ├── ConversationEnded ...... it is completed, failed or expired
    │   │   ├── ConversationTimeout  it was as long as it may last
    │   │   └── ConversationStopped  it came to a limit of its own: hops, turns, bytes
    │   ├── NotUnderstood .......... what was said does not fit the conversation
    │   │   ├── NotAParticipant .... somebody speaks in a conversation of others
    │   │   └── ProtocolViolation .. it does not fit the protocol that it names: it is not its turn, or too late
    │   └── AlreadyAccepted ........ its idempotency key is known: what was asked was asked before
    │       └── AnswerNotKept ...... and the first message with it has no answer
    ├── Timeout .................... nobody answered in time; what was asked may have happened or not
    ├── AnswerOverdue .............. the other party of a protocol did not say in time what was waited for
    ├── NetworkError ............... a peer ended; what was under way may have happened or not
    ├── SecurityError .............. a sender, session or mark that is not what it claims
    ├── AccessError ................ who asks from elsewhere is not let in, or may not do this
    │   ├── TokenMissing ........... nobody asks without a token
    │   ├── TokenRefused ........... it is no token, has expired or was revoked
    │   ├── FailedTooOften ......... too many tokens from this address were refused
    │   └── AccessDenied ........... the token's role or its agents do not include this
    ├── DeploymentError ............ an agent that was not deployed
    │   ├── AgentAlreadyRegistered
    │   │   └── AlreadyAttached .... another client, or another block of this one, runs it
    │   ├── ModuleUnknown ...... this runtime has no such module: upload it first
    │   └── InvalidModule .......... not wasm, unknown imports, missing exports, beyond the compile limits
    │       └── NoMemoryExport ..... the export that is missing is its memory
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
        ├── ProgramLost ............ the program of an attached agent that had a volatile message is gone
        ├── RetryLimitExceeded ..... it failed as often as the message may be tried
        ├── ResourceLimitExceeded .. fuel, time, memory or output beyond the agent's limits
        └── AgentError ............. the agent's own error code

Errors travel as their class's name and their fields (`to_fields`, `from_fields`). docs/errors.md has the other names
under which somebody may look for one.
"""

from caxton.errors.access import (
    AccessDenied,
    AccessError,
    FailedTooOften,
    TokenMissing,
    TokenNotFound,
    TokenRefused,
)
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
    NoMemoryExport,
    ProgramLost,
    ResourceLimitExceeded,
    RetryLimitExceeded,
    WasmExecutionFailed,
)
from caxton.errors.conversations import (
    AnswerOverdue,
    ConversationEnded,
    ConversationNotFound,
    ConversationStopped,
    ConversationTimeout,
    NotAParticipant,
    NotUnderstood,
    ProtocolViolation,
    TooManyParticipants,
)
from caxton.errors.given import (
    ConfigurationError,
    DeadLetterNotFound,
    IdempotencyKeyReused,
    InvalidManifest,
    InvalidMessageFormat,
    MessageNotFound,
    MessageTooLarge,
    ParseError,
    SerializationError,
    UnknownProtocol,
    Unsupported,
    ValidationError,
)
from caxton.errors.reached import (
    NetworkError,
    OtherProtocol,
    ResourceExhausted,
    RuntimeNotFound,
    SecurityError,
    Timeout,
    UnknownError,
)
from caxton.errors.root import CaxtonError
from caxton.errors.routing import (
    AgentNotFound,
    AgentNotRunning,
    AgentTakenOver,
    AlreadyAccepted,
    AnswerNotKept,
    CircuitBreakerOpen,
    Deadlock,
    HopLimitExceeded,
    LeaseEnded,
    MessageExpired,
    NoCapableAgents,
    QueueFull,
    RoutingError,
    SessionNotFound,
    ShardUnavailable,
    WorkLimitExceeded,
)
from caxton.errors.storage import StorageDamaged, StorageError, StorageFull
from caxton.errors.travel import BY_NAME, from_fields, to_fields

__all__ = [
    "BY_NAME",
    "AccessDenied",
    "AccessError",
    "AgentAlreadyRegistered",
    "AgentError",
    "AgentFailure",
    "AgentNotFound",
    "AgentNotRunning",
    "AgentTakenOver",
    "AlreadyAccepted",
    "AlreadyAttached",
    "AnswerNotKept",
    "AnswerOverdue",
    "CaxtonError",
    "CircuitBreakerOpen",
    "ConfigurationError",
    "ConversationEnded",
    "ConversationNotFound",
    "ConversationStopped",
    "ConversationTimeout",
    "DeadLetterNotFound",
    "Deadlock",
    "DeploymentError",
    "FailedTooOften",
    "HandlerFailed",
    "HopLimitExceeded",
    "IdempotencyKeyReused",
    "InvalidManifest",
    "InvalidMessageFormat",
    "InvalidModule",
    "InvalidStateTransition",
    "LeaseEnded",
    "MessageExpired",
    "MessageNotFound",
    "MessageTooLarge",
    "ModuleUnknown",
    "NetworkError",
    "NoCapableAgents",
    "NoMemoryExport",
    "NotAParticipant",
    "NotUnderstood",
    "OtherProtocol",
    "ParseError",
    "ProgramLost",
    "ProtocolViolation",
    "QueueFull",
    "ResourceExhausted",
    "ResourceLimitExceeded",
    "RetryLimitExceeded",
    "RoutingError",
    "RuntimeNotFound",
    "SecurityError",
    "SerializationError",
    "SessionNotFound",
    "ShardUnavailable",
    "StorageDamaged",
    "StorageError",
    "StorageFull",
    "Timeout",
    "TokenMissing",
    "TokenNotFound",
    "TokenRefused",
    "TooManyParticipants",
    "UnknownError",
    "UnknownProtocol",
    "Unsupported",
    "ValidationError",
    "WasmExecutionFailed",
    "WorkLimitExceeded",
    "from_fields",
    "to_fields",
]
