"""The status of every error. A test holds this table to the tree of errors."""

from caxton import errors
from caxton.errors import CaxtonError

STATUSES: dict[type[CaxtonError], int] = {
    errors.CaxtonError: 500,
    # What was asked for cannot be: the same request will not be better.
    errors.ValidationError: 422,
    errors.ParseError: 400,
    errors.InvalidMessageFormat: 400,
    errors.SerializationError: 400,
    errors.MessageTooLarge: 413,
    errors.IdempotencyKeyReused: 422,
    errors.DeadLetterNotFound: 404,
    errors.MessageNotFound: 404,
    errors.ConversationNotFound: 404,
    errors.UnknownProtocol: 422,
    errors.ConfigurationError: 409,
    errors.InvalidManifest: 422,
    errors.Unsupported: 501,
    # Who may.
    errors.SecurityError: 403,
    errors.AccessError: 403,
    errors.TokenMissing: 401,
    errors.TokenRefused: 401,
    errors.AccessDenied: 403,
    errors.FailedTooOften: 429,
    errors.TokenNotFound: 404,
    errors.NotAParticipant: 403,
    # It does not fit what is so now.
    errors.RoutingError: 409,
    errors.AgentNotFound: 404,
    errors.AgentNotRunning: 409,
    errors.AgentTakenOver: 409,
    errors.LeaseEnded: 409,
    errors.HopLimitExceeded: 409,
    errors.WorkLimitExceeded: 409,
    errors.Deadlock: 409,
    errors.SessionNotFound: 404,
    errors.TooManyParticipants: 409,
    errors.ConversationEnded: 409,
    errors.ConversationTimeout: 409,
    errors.ConversationStopped: 409,
    errors.NotUnderstood: 409,
    errors.ProtocolViolation: 409,
    errors.AlreadyAccepted: 409,
    errors.AnswerNotKept: 409,
    errors.InvalidStateTransition: 409,
    errors.DeploymentError: 422,
    errors.AgentAlreadyRegistered: 409,
    errors.AlreadyAttached: 409,
    errors.ModuleUnknown: 409,
    errors.InvalidModule: 422,
    errors.NoMemoryExport: 422,
    # Later it may be better.
    errors.QueueFull: 429,
    errors.CircuitBreakerOpen: 503,
    errors.NoCapableAgents: 503,
    errors.ShardUnavailable: 503,
    errors.ResourceExhausted: 503,
    errors.RuntimeNotFound: 503,
    errors.OtherProtocol: 503,
    errors.StorageError: 500,
    errors.StorageFull: 507,
    errors.StorageDamaged: 500,
    # Behind the gateway something failed, or did not answer.
    errors.NetworkError: 502,
    errors.UnknownError: 502,
    errors.AgentFailure: 502,
    errors.WasmExecutionFailed: 502,
    errors.HandlerFailed: 502,
    errors.ProgramLost: 502,
    errors.RetryLimitExceeded: 502,
    errors.ResourceLimitExceeded: 502,
    errors.AgentError: 502,
    errors.Timeout: 504,
    errors.MessageExpired: 504,
    errors.AnswerOverdue: 504,
}


def status_of(error: CaxtonError) -> int:
    """Return the status of an error; of one that is not in the table, that of what it is a kind of."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
