"""What is to be done so that agents are what a system says: decided from what is wanted and what is there. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from caxton.agents.limits import DEFAULT_CAPACITY, with_capacity
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import CaxtonError
from caxton.printable import counted
from caxton.wire.calls import AgentView

# Digits of a module's hash that are told.
_DIGITS = 12
_NOT_IN_PLACE = {"wasm", "encoding", "limits", "escalate_to", "state"}


class Action(StrEnum):
    """What becomes of an agent.

    deploy: it is new. update: it is changed in place, and nothing waits for that. replace: it is drained, removed and
    deployed anew, and its state is forgotten. remove: it is drained and removed. keep: it is as it should be. leave: it
    belongs to the system, is not wanted any more, and stays as it is. refuse: its name is somebody else's.
    """

    DEPLOY = "deploy"
    UPDATE = "update"
    REPLACE = "replace"
    REMOVE = "remove"
    KEEP = "keep"
    LEAVE = "leave"
    REFUSE = "refuse"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One agent of a plan, or what was done about it.

    differs: what is other than it should be, such as "weight: 1 -> 3". needs: "replace" where the action waits for that
    word, or "". problem: why it is refused, or what went wrong; "" for nothing. dead_letters: messages that its drain
    left at the timeout, which are dead letters now.
    """

    name: str
    action: Action
    differs: tuple[str, ...] = ()
    needs: str = ""
    problem: str = ""
    dead_letters: int = 0

    def __str__(self) -> str:
        told = f"{self.action.value} {self.name}"
        if self.differs:
            told += f" ({'; '.join(self.differs)})"
        if self.dead_letters:
            told += f"; {counted(self.dead_letters, 'messages')} left, among the dead letters now"
        return f"{told}: {self.problem}" if self.problem else told

    @property
    def is_open(self) -> bool:
        """Whether it may not be done as it stands."""
        return bool(self.needs) or self.action is Action.REFUSE

    def failed(self, error: CaxtonError) -> "Change":
        """Return this change with what went wrong."""
        return msgspec.structs.replace(self, problem=str(error))


def plan_of(
    system: str,
    wanted: Sequence[Manifest],
    found: Mapping[str, AgentView],
    others: Iterable[str],
    *,
    replace: bool,
    prune: bool,
) -> list[Change]:
    """Return what is to be done about each agent. others: those of the system that are not wanted, by name."""
    changes = [_change(system, manifest, found.get(manifest.name), replace=replace) for manifest in wanted]
    action = Action.REMOVE if prune else Action.LEAVE
    return [*changes, *(Change(name=name, action=action) for name in others)]


def _change(system: str, manifest: Manifest, view: AgentView | None, *, replace: bool) -> Change:
    name = manifest.name
    if view is None:
        return Change(name=name, action=Action.DEPLOY)
    if view.encoding == Encoding.ATTACHED:
        return Change(name=name, action=Action.REFUSE, problem="a program's agent has this name")
    if view.system not in {"", system}:
        return Change(name=name, action=Action.REFUSE, problem=f"it belongs to the system {view.system}")
    differs = differences(manifest, view)
    if not differs:
        return Change(name=name, action=Action.KEEP)
    told = tuple(f"{field}: {text}" for field, text in differs.items())
    if not _NOT_IN_PLACE & {field.partition(".")[0] for field in differs}:
        return Change(name=name, action=Action.UPDATE, differs=told)
    return Change(name=name, action=Action.REPLACE, differs=told, needs="" if replace else "replace")


def differences(manifest: Manifest, view: AgentView) -> dict[str, str]:
    """Return in what an agent is other than its manifest says, by field, as it is and as it should be."""
    capacity = view.limits.get("mailbox_capacity", DEFAULT_CAPACITY)  # one that is left open is as it is
    wanted = with_capacity(manifest.limits, capacity)
    limits = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    pairs: dict[str, tuple[object, object]] = {
        "wasm": (view.module.hex()[:_DIGITS], manifest.module.hex()[:_DIGITS]),
        "encoding": (view.encoding, manifest.encoding.value),
        **{f"limits.{name}": (view.limits.get(name), value) for name, value in limits.items()},
        "escalate_to": (view.escalate_to or "nobody", manifest.escalate_to or "nobody"),
        "weight": (view.weight, manifest.weight),
        "version": (view.version or "none", manifest.version or "none"),
        "system": (view.system or "none", manifest.system or "none"),
    }
    differs = {field: f"{is_now} -> {wanted}" for field, (is_now, wanted) in pairs.items() if is_now != wanted}
    more = [f"+{name}" for name in manifest.capabilities if name not in view.capabilities]
    fewer = [f"-{name}" for name in view.capabilities if name not in manifest.capabilities]
    if more or fewer:
        differs["capabilities"] = ", ".join((*more, *fewer))
    if view.state in {"stopped", "draining"}:
        differs["state"] = f"{view.state} -> running"
    return differs
