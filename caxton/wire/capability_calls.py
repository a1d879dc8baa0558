"""What a client asks about capabilities: who has them, which there are, and that an agent has others from now on."""

from typing import Annotated

import msgspec

from caxton.acl.capability import MAX_CAPABILITY, MAX_KEY
from caxton.acl.envelope import Id
from caxton.agents.manifest import MAX_CAPABILITIES, MAX_WEIGHT, Health
from caxton.agents.names import MAX_LABEL, MAX_NAME

MAX_PAGE = 500
Label = Annotated[str, msgspec.Meta(max_length=MAX_LABEL)]
# Of patterns of names, as many as a token has.
MOST_AMONG = 16
Among = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)], ...], msgspec.Meta(max_length=MOST_AMONG)
]
Names = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CAPABILITIES)]


class ListCapable(msgspec.Struct, array_like=True, tag=60, frozen=True):
    """List the agents of this shard that have all capabilities of a key, by name, behind `after`: up to `limit`.

    among: only those whose names fit one of these patterns. Answered with `Agents`.
    """

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]
    after: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE
    among: Among = ()


class ListCapabilities(msgspec.Struct, array_like=True, tag=61, frozen=True):
    """List the capabilities that agents of this shard have, in the order of the alphabet, behind `after`."""

    after: Annotated[str, msgspec.Meta(max_length=MAX_CAPABILITY)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE


class LookUp(msgspec.Struct, array_like=True, tag=62, frozen=True):
    """Tell all about some agents of this shard."""

    agent_ids: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]


class Advertise(msgspec.Struct, array_like=True, tag=63, frozen=True):
    """Let an agent have other capabilities, another weight, or another word about its health, also after a restart.

    version, system: what its manifest says of it from now on. None leaves it as it is. Answered with its
    `AgentView`.
    """

    agent_id: Id
    add: Names = ()
    remove: Names = ()
    weight: Annotated[int, msgspec.Meta(ge=1, le=MAX_WEIGHT)] | None = None
    health: Health | None = None
    version: Label | None = None
    system: Label | None = None


CapabilityRequest = ListCapable | ListCapabilities | LookUp | Advertise


class CapabilityView(msgspec.Struct, array_like=True, frozen=True):
    """One capability. agents: how many have it; healthy: how many of them are candidates for messages to it."""

    name: str
    agents: int
    healthy: int


class Capabilities(msgspec.Struct, array_like=True, tag=64, frozen=True):
    """A page of capabilities. more: there may be others behind the last one."""

    capabilities: list[CapabilityView]
    more: bool
