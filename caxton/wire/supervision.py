"""What clients ask the supervisor, and what it answers: sessions, modules, health, stats, tokens, stop.

One request, one answer, over a ROUTER socket; a request carries a number that its caller chose, its answer the same.
"""

from typing import Annotated, Any

import msgspec

from caxton.acl.envelope import MAX_PRINCIPAL, Id
from caxton.agents.limits import DEFAULT_CAPACITY, MAX_MODULE, Limits
from caxton.wire.audit import AuditAnchored, AuditPage, AuditRequest
from caxton.wire.calls import Failed, Name
from caxton.wire.control import Topology
from caxton.wire.events import EventPage, ReadEvents
from caxton.wire.link_state import Mark
from caxton.wire.tokens import CreateToken, ListTokens, NewToken, RevokeToken, Tokens, TokenView

MODULE_CHUNK = 4 << 20
Version = Annotated[int, msgspec.Meta(ge=1)]
Sha256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class OpenSession(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """A client arrives; `pid` is told to people only. oldest, newest: the versions of the protocol that it speaks.

    principal: for whom it acts, "" for its own user.
    """

    pid: int
    client: Annotated[str, msgspec.Meta(max_length=100)]
    oldest: Version = 1
    newest: Version = 1
    principal: Annotated[str, msgspec.Meta(max_length=MAX_PRINCIPAL)] = ""


class UploadModule(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """A piece of a module, in order. The last piece is answered when the module is compiled, or refused."""

    sha256: Sha256
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_MODULE)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=MAX_MODULE)]
    chunk: Annotated[bytes, msgspec.Meta(max_length=MODULE_CHUNK)]
    agent: Name
    limits: Limits


class AskHealth(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """Ask whether everything is well."""


class AskStats(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """Ask what was done, lost and refused."""


class StopRuntime(msgspec.Struct, array_like=True, tag=5, frozen=True):
    """Drain and end. Answered at once with `Accepted`; the runtime directory's lock drops when it is done."""


class RestartWorkers(msgspec.Struct, array_like=True, tag=6, frozen=True):
    """Restart every worker, one after the other; failed and quarantined shards get a new try.

    Answered with `Accepted` when it has begun; health says which shards are still to come (`restarting`). Refused with
    ConfigurationError while one is under way. shard: this one's worker alone, which is never refused.
    """

    shard: Annotated[int, msgspec.Meta(ge=0)] | None = None


class AskSettings(msgspec.Struct, array_like=True, tag=19, frozen=True):
    """Ask what the runtime is told, and by whom. Answered with `Told`."""


class ChangeSettings(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """Change settings, by their keys, until the runtime ends. Answered as `AskSettings` is.

    tag: only where the settings still have this one (`caxton.config.setting.tag_of`), "" for whatever they are.
    """

    values: Annotated[dict[str, Any], msgspec.Meta(max_length=100)]
    tag: Annotated[str, msgspec.Meta(max_length=64)] = ""


class EndSession(msgspec.Struct, array_like=True, tag=7, frozen=True):
    """A client's good-bye: its session is over, its book is written. Nobody waits for an answer, and there is none."""

    session: Id
    mark: Mark


TokenRequest = CreateToken | ListTokens | RevokeToken
SupervisorRequest = (
    OpenSession
    | UploadModule
    | AskHealth
    | AskStats
    | StopRuntime
    | RestartWorkers
    | EndSession
    | TokenRequest
    | AskSettings
    | ChangeSettings
    | ReadEvents
    | AuditRequest
)


class SupervisorCall(msgspec.Struct, array_like=True, frozen=True):
    """A request with the caller's number for it."""

    call_id: Annotated[int, msgspec.Meta(ge=0)]
    request: SupervisorRequest


class SessionOpened(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """The client's identity, the key that turns names into ids, and the shards as they are now.

    version: of the protocol, the newest that both speak. mailbox_capacity: what an agent's mailbox holds where its
    deployment leaves it open.
    """

    session: Id
    mark: Mark
    naming_key: bytes
    topology: Topology
    version: Version = 1
    mailbox_capacity: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = DEFAULT_CAPACITY


class Accepted(msgspec.Struct, array_like=True, tag=11, frozen=True):
    """Done, or under way as the request says. `wanted` is the next offset of an upload."""

    wanted: int = 0


class Told(msgspec.Struct, array_like=True, tag=12, frozen=True):
    """The answer to AskHealth and AskStats: plain values, named as `-o json` prints them (`caxton.wire.told`)."""

    values: dict[str, Any]


SupervisorResult = (
    SessionOpened | Accepted | Told | NewToken | Tokens | TokenView | EventPage | AuditPage | AuditAnchored | Failed
)


class SupervisorAnswer(msgspec.Struct, array_like=True, frozen=True):
    """What came of a call."""

    call_id: Annotated[int, msgspec.Meta(ge=0)]
    result: SupervisorResult
