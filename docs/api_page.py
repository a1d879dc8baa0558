"""Writes docs/api.md, the page of the whole API, from the code and its docstrings: `python docs/api_page.py`.

A test holds the page to the code.
"""

import enum
import inspect
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, get_type_hints

import msgspec

import caxton
from caxton import errors, sync, testing
from caxton.acl import json_form
from caxton.client.attached import turns
from caxton.client.attached.agent import AttachedAgent
from caxton.client.calls.agent_calls import AgentCalls
from caxton.client.calls.apply_calls import ApplyCalls
from caxton.client.calls.auction_calls import AuctionCalls
from caxton.client.calls.audit_calls import AuditCalls
from caxton.client.calls.backup_calls import BackupCalls
from caxton.client.calls.broadcast_calls import BroadcastCalls
from caxton.client.calls.call_graph_calls import CallGraphCalls
from caxton.client.calls.capability_calls import CapabilityCalls
from caxton.client.calls.conversation_calls import ConversationCalls
from caxton.client.calls.dead_letter_calls import DeadLetterCalls
from caxton.client.calls.drain_calls import DrainCalls
from caxton.client.calls.event_calls import EventCalls
from caxton.client.calls.hosting_calls import HostingCalls
from caxton.client.calls.interaction_calls import InteractionCalls
from caxton.client.calls.kept_calls import KeptCalls
from caxton.client.calls.log_calls import LogCalls
from caxton.client.calls.message_calls import MessageCalls, SomeAgent
from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.client.calls.span_calls import SpanCalls
from caxton.client.calls.subscription_calls import SubscriptionCalls
from caxton.client.calls.token_calls import TokenCalls
from caxton.client.calls.watch_calls import WatchCalls
from caxton.client.connection import Connection
from caxton.store.ledger import Figures, Ledger

PAGE = Path(__file__).with_name("api.md")
HEAD = """# The API

Every name that a program uses, from the code itself (`python docs/api_page.py` writes this page). All of it is in
`caxton`, by the names at the head of each section, and typed; [README](../README.md) shows it at work, and
[glossary.md](glossary.md) explains the words. Errors that are not named here are not raised on purpose.
"""
CALLS: dict[str, type] = {
    "Opening and closing": Connection,
    "Messages": MessageCalls,
    "To many at once": BroadcastCalls,
    "Interaction protocols": InteractionCalls,
    "Auctions": AuctionCalls,
    "Subscriptions": SubscriptionCalls,
    "Agents": AgentCalls,
    "Draining": DrainCalls,
    "Systems of agents": ApplyCalls,
    "Capabilities": CapabilityCalls,
    "Python agents": HostingCalls,
    "Conversations": ConversationCalls,
    "What is kept": KeptCalls,
    "Logs": LogCalls,
    "Watching": WatchCalls,
    "Traces": SpanCalls,
    "The call graph": CallGraphCalls,
    "Events": EventCalls,
    "Audit": AuditCalls,
    "Dead letters": DeadLetterCalls,
    "The runtime": RuntimeCalls,
    "Backups": BackupCalls,
    "Tokens": TokenCalls,
}
GIVEN: tuple[type, ...] = (
    caxton.Message,
    caxton.Capability,
    caxton.Everyone,
    caxton.DeliveryOptions,
    caxton.ConversationLimits,
    caxton.Deployment,
    caxton.System,
    caxton.Drained,
    caxton.Limits,
)
ENUMS: tuple[type[enum.IntEnum], ...] = (caxton.Performative, caxton.Level, caxton.Lane)
IDS = (caxton.AgentId, caxton.MessageId, caxton.ConversationId)
TOLD: tuple[type, ...] = (
    caxton.Receipt,
    caxton.Backup,
    caxton.BackupFile,
    caxton.ContractResult,
    caxton.AuctionResult,
    caxton.AuctionRound,
    caxton.Delivered,
    caxton.Saved,
    caxton.AgentView,
    caxton.CapabilityView,
    caxton.Change,
    caxton.Escalation,
    caxton.ConversationView,
    caxton.Summary,
    caxton.ConversationStats,
    caxton.KeptMessage,
    caxton.LogLine,
    caxton.EventView,
    caxton.AuditRow,
    caxton.AuditRows,
    caxton.AnchoredHead,
    caxton.AuditHead,
    caxton.Busiest,
    caxton.BusyAgent,
    caxton.CallGraph,
    caxton.CallPair,
    caxton.WatchedMessage,
    caxton.Spans,
    caxton.Span,
    caxton.SpanCursor,
    caxton.DeadLetter,
    caxton.DeadLetterStats,
    Ledger,
    Figures,
    caxton.Health,
    caxton.HealthReason,
    caxton.ComponentHealth,
    caxton.WorkerHealth,
    caxton.RouterStats,
    caxton.NewToken,
    caxton.TokenView,
)
# What is written by its name, because its definition would be longer than what it is for.
NAMED: dict[Any, str] = {
    turns.EachHandler: "EachHandler",
    turns.BatchHandler: "BatchHandler",
    turns.Said: "Said",
    turns.Sent: "Sent",
    caxton.Agent: "Agent",
    SomeAgent: "Agent",
}
AGENT = "caxton.Agent = AgentId | int | str | AgentView  # its id, its name, or what is listed of it"
HANDLERS = """Sent = Content | list[Message] | tuple[Message, ...] | None  # Content: anything that holds bytes
caxton.Said = Sent | Saved
caxton.EachHandler = Callable[[Delivered], Awaitable[Said]]
caxton.BatchHandler = Callable[[list[Delivered]], Awaitable[Sequence[Said] | None]]"""
LONGEST_SIGNATURE = 90
# Called by the client itself, or a part of how it is made.
INSIDE = {
    "with_sent",
    "abandon",
    "of",
    "envelope",
    "keep",
    "hold_at_most",
    "hold_back",
    "pass_over",
    "passes_over",
    "listen",
    "drop",
    "rest_s",
    "only",
    "full",
    "full_of_unread",
    "on_room",
    "raw_id",
    "parse",
    "act",
}


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, *_client(), *_sync(), *_values(), *_errors(), *_testing()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


def _client() -> Iterator[str]:
    yield "## Client"
    yield from _function("caxton.", caxton.connect)
    yield _text(caxton.Client)
    for title, kind in CALLS.items():
        yield f"### {title}"
        yield _text(kind)
        yield _block(AGENT) if kind is Connection else ""
        yield from _function("caxton.", caxton.agent) if kind is HostingCalls else ()
        yield from _members("client.", kind, but={"close"} if kind is AgentCalls else ())
    yield "### Listings, attached agents and the inbox"
    yield _block(HANDLERS)
    returned: tuple[tuple[type, str], ...] = (
        (caxton.AgentListing, "listing."),
        (AttachedAgent, "agent."),
        (caxton.Hosting, "hosting."),
        (caxton.Turn, "turn."),
        (caxton.Inbox, "inbox."),
    )
    for kind, name in returned:
        yield f"**`{kind.__name__}`**"
        yield _text(kind)
        yield from _members(name, kind)
        yield _properties(kind)


def _sync() -> Iterator[str]:
    yield "## Without a loop"
    yield from _function("caxton.", caxton.connect_sync)
    yield "`caxton.sync.Client` has all calls of `Client` by the same names, with the same arguments and errors."
    yield "What is awaited above is returned, and what is iterated with `async for` is iterated with `for`."
    yield _text(sync.Client.__mro__[-2])
    yield "What its calls return that is more than a value is in `caxton.sync` too:"
    yield _block(
        "caxton.sync.EachHandler = Callable[[Delivered], Said | Awaitable[Said]]\n"
        "caxton.sync.BatchHandler = Callable[[list[Delivered]], Sequence[Said] | Awaitable[Sequence[Said] | None]"
        " | None]"
    )
    returned: tuple[tuple[type, str], ...] = (
        (sync.AgentListing, "listing."),
        (sync.Inbox, "inbox."),
        (sync.Subscription, "subscription."),
        (sync.AttachedAgent, "agent."),
        (sync.Hosting, "hosting."),
    )
    for kind, name in returned:
        yield f"**`sync.{kind.__name__}`**"
        yield _text(kind)
        yield from _members(name, kind)
        yield _properties(kind)


def _values() -> Iterator[str]:
    yield "## Values"
    for kind in GIVEN:
        yield f"### {kind.__name__}"
        yield _block(f"caxton.{kind.__name__}{_signature(kind)}")
        yield _text(kind)
        yield from _members(f"{kind.__name__.lower()}.", kind)
        yield _properties(kind)
    for number in ENUMS:
        yield f"### {number.__name__}"
        yield _text(number)
        yield ", ".join(f"`{member.name}` ({member.value})" for member in number) + "."
    yield from _function("caxton.", caxton.read_escalation)
    yield "### Manifests"
    yield from _function("caxton.", caxton.read_manifest)
    yield from _function("caxton.", caxton.read_system)
    yield "### Messages as JSON"
    yield _text(json_form)
    yield from _function("caxton.", caxton.message_values)
    yield from _function("caxton.", caxton.read_message)
    yield "### Ids"
    for named in IDS:
        yield _block(f"caxton.{named.__name__}{_signature(named)}")
        yield _text(named)
        yield from _function(f"{named.__name__}.", named.parse)
        yield _properties(named)
    for kind in TOLD:
        yield f"### {kind.__name__}"
        yield _block("\n".join(f"{name}: {_type(of)}" for name, of in _fields(kind) if name not in INSIDE))
        yield _text(kind)
        yield _properties(kind)


def _errors() -> Iterator[str]:
    yield "## caxton.errors"
    head, tree, tail = re.fullmatch(r"(.*?)\n\n((?:    .*\n)+)\n(.*)", errors.__doc__ or "", re.DOTALL).groups()  # type: ignore[union-attr]
    yield head
    yield f"```text\n{dedent(tree).rstrip()}\n```"
    yield tail
    rows = []
    for kind in errors.BY_NAME.values():
        given = ", ".join(f"`{name}: {_type(of)}`" for name, of in _fields(kind))
        said = f"{kind.says}; {kind.hint}" if kind.hint else kind.says
        rows.append(f"| `{kind.__name__}` | {given} | {' '.join(_text(kind).split())} | {said} |")
    yield "\n".join(["| error | fields | what it means | what it says |", "|---|---|---|---|", *rows])
    yield from _members("error.", errors.CaxtonError)


def _testing() -> Iterator[str]:
    yield "## caxton.testing"
    head, example, tail = re.fullmatch(r"(.*?)\n\n((?:    .*\n)+)\n(.*)", testing.__doc__ or "", re.DOTALL).groups()  # type: ignore[union-attr]
    yield head
    yield _block(dedent(example).rstrip())
    yield tail
    for function in (testing.runtime, testing.eventually):
        yield from _function("caxton.testing.", function)
    yield "### ServedRuntime"
    yield _text(testing.ServedRuntime)
    yield from _members("served.", testing.ServedRuntime)


def _members(prefix: str, kind: type, but: Collection[str] = ()) -> Iterator[str]:
    """Say all about the public methods that a class has itself, in the order in which it has them."""
    for name, member in vars(kind).items():
        function = member.__func__ if isinstance(member, classmethod) else member
        if inspect.isfunction(function) and not name.startswith("_") and name not in {*INSIDE, *but}:
            yield from _function(prefix, function)


def _function(prefix: str, function: Callable[..., object]) -> Iterator[str]:
    word = "async for _ in " if inspect.isasyncgenfunction(function) else ""
    word = word or ("await " if inspect.iscoroutinefunction(function) else "")
    yield _block(f"{word}{prefix}{function.__name__}{_signature(function)}")
    yield _text(function)


def _properties(kind: type) -> str:
    """List the properties of a class and its parents within caxton, with what they say."""
    found: dict[str, property] = {}
    for parent in reversed(kind.__mro__):
        found |= {name: member for name, member in vars(parent).items() if isinstance(member, property)}
    shown = {name: member for name, member in found.items() if not name.startswith("_") and name not in INSIDE}
    lines = [f"- `{name}`: {_type(_returned(member))}. {_text(member)}" for name, member in shown.items()]
    return "\n".join(line.replace("\n", "\n  ") for line in lines)


def _signature(what: Callable[..., object]) -> str:
    """Write a signature with one parameter on each line where one line would be long."""
    signature = inspect.signature(what)
    parameters: list[str] = []
    for name, parameter in signature.parameters.items():
        if name in {"self", "cls"}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(p.startswith("*") for p in parameters):
            parameters.append("*")
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else "*" * (parameter.kind is parameter.VAR_POSITIONAL)
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        of = "" if parameter.annotation is parameter.empty else f": {_type(parameter.annotation)}"
        parameters.append(f"{stars}{name}{of}{default}")
    returned = signature.return_annotation
    end = "" if returned is signature.empty or isinstance(what, type) else f" -> {_type(returned)}"
    line = f"({', '.join(parameters)}){end}"
    return line if len(line) <= LONGEST_SIGNATURE else "(\n" + "".join(f"    {p},\n" for p in parameters) + f"){end}"


def _default(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, msgspec.Struct):
        return f"{type(value).__name__}()"
    return repr(value)


def _type(annotation: Any) -> str:
    """Write a type as its code does, without the modules."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    for of, name in NAMED.items():
        text = text.replace(inspect.formatannotation(of), name)
    return re.sub(r"Optional\[(\w+)\]", r"\1 | None", re.sub(r"~|(?:\b\w+\.)+(?=\w)", "", text))


def _fields(kind: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)  # what may be kept in a field is no news to who reads it
    if is_dataclass(kind):
        return [(field.name, hints[field.name]) for field in fields(kind)]
    return [(name, of) for name, of in hints.items() if not name.startswith("_")]


def _returned(member: property) -> Any:
    return inspect.signature(member.fget).return_annotation if member.fget is not None else None


def _text(what: object) -> str:
    return inspect.getdoc(what) or ""


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
