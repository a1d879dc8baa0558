"""Who was not reached, or did not answer, or is not who it claims to be."""

from dataclasses import dataclass

from caxton.errors.root import CaxtonError


@dataclass(eq=False)
class RuntimeNotFound(CaxtonError):
    """No runtime serves in this directory."""

    runtime_dir: str
    says = "no runtime is serving in {runtime_dir}"
    hint = "start one with `caxton serve`, or name its directory with --runtime-dir or CAXTON_RUNTIME_DIR"


@dataclass(eq=False)
class OtherProtocol(CaxtonError):
    """A client and a runtime speak no common version of the protocol. Of each: the oldest and newest that it speaks."""

    runtime_oldest: int
    runtime_newest: int
    client_oldest: int
    client_newest: int
    says = (
        "the runtime speaks versions {runtime_oldest} to {runtime_newest} of the protocol, and this client "
        "{client_oldest} to {client_newest}"
    )
    hint = "update the one that is older"


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
class ResourceExhausted(CaxtonError):
    """The runtime has no more of something that is bounded."""

    resource: str
    limit: int
    says = "no more {resource}: the limit is {limit}"


@dataclass(eq=False)
class UnknownError(CaxtonError):
    """Whoever was asked answered with an error that this version does not know, or cannot read: `kind` is its name."""

    kind: str
    told: str
    says = "an error that this version does not know: {kind} {told}"
