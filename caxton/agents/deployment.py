"""What is said of an agent that is to be deployed: by a program, or by a manifest file."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TypeAlias

from caxton.agents.limits import Limits
from caxton.agents.manifest import DEFAULT_WEIGHT

Module: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview


@dataclass(frozen=True)
class Deployment:
    """One agent to deploy. wasm: a path, as text too, or the bytes of a core module. Encodings: content, msgpack.

    name: 1 to 200 printable characters without blanks at the ends, kept in Unicode's composed form (NFC); it does not
    begin with tool:, model:, a2a: or caxton:. escalate_to: the name of another agent, which is sent each message that
    this one failed on as often as it may be tried; see `caxton.read_escalation`. weight: from 1 to 100, its share
    where a capability is balanced by weight. version: what you call what it runs; system: the name of the system that
    it belongs to, as `apply` sets it. Both are text of at most 100 characters, and "" is none.
    """

    name: str
    wasm: Module
    encoding: str = "content"
    capabilities: Sequence[str] = ()
    limits: Limits | None = None
    escalate_to: str | None = None
    weight: int = DEFAULT_WEIGHT
    version: str = ""
    system: str = ""
