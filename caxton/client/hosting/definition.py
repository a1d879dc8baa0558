"""What a Python agent is, as its decorator keeps it: its name, what it may be given, and what handles it.

@caxton.agent("translator", capabilities=["translate"])
async def translate(message: caxton.Message) -> bytes:
    return message.content.upper()
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from caxton.acl.content import check_encoding
from caxton.acl.order import HandlerOrder
from caxton.acl.performative import ACTS, BY_ACT, Performative
from caxton.agents.manifest import capabilities_of
from caxton.agents.names import attached_name
from caxton.errors import ValidationError
from caxton.printable import shown

HandlerLike = TypeVar("HandlerLike")

# Where a decorated function or class keeps its definition: it stays what it was, so that it can be called and tested.
KEPT_AS = "__caxton_agent__"
METHOD_PREFIX = "on_"
# The method for every act that has none of its own.
FOR_ALL_OTHERS = "on_message"
_ARGUMENTS = (1, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentDefinition:
    """The options of a Python agent, as `Client.attach` has them.

    concurrency: None for the usual one, 64 for coroutine functions, and 1 where a plain function is among them, or a
    state. state: the type of what it keeps, None for nothing. group: several programs share it. encoding: of the values
    that it returns.
    """

    name: str
    capabilities: tuple[str, ...] = ()
    mailbox_capacity: int | None = None
    concurrency: int | None = None
    order: HandlerOrder = "conversation"
    timeout_s: float | None = None
    escalate_to: str | None = None
    state: type | None = None
    group: bool = False
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """Something that handles messages. takes_turn: it has a second parameter; is_plain: it runs in a thread."""

    call: Callable[..., Any]
    takes_turn: bool
    is_plain: bool


def agent(  # noqa: PLR0913 (what an agent may be, each by its name)
    name: str,
    *,
    capabilities: Sequence[str] = (),
    mailbox_capacity: int | None = None,
    concurrency: int | None = None,
    order: HandlerOrder = "conversation",
    timeout_s: float | None = None,
    escalate_to: str | None = None,
    state: type | None = None,
    group: bool = False,
    encoding: str | None = None,
) -> Callable[[HandlerLike], HandlerLike]:
    """Say of a function or a class that it is an agent of this name, for `Client.host` and `caxton attach`.

    A function takes the `Message`, and the `Turn` if it has a second parameter. A class has a method for each
    performative that it understands, `on_cfp`, `on_accept_proposal` and so on, and perhaps `on_message` for all others;
    what it does not understand is answered by `not-understood`. Coroutine functions run in the loop; plain ones in a
    thread, one at a time unless `concurrency` says otherwise. Options are those of `Client.attach`, but for state, a
    type that can be made without arguments, such as a msgspec Struct, a dataclass, dict or int. `Turn.state` is one of
    it; what that is when the handler returns is committed with the turn, at most 64 KiB as msgpack.

    Raises ValidationError for what cannot handle messages, with the method that was meant. What is decorated stays what
    it is: it can be called, and tested, by itself.
    """
    if group and state is not None:
        raise ValidationError("group", "programs that share an agent keep no state: each would have another one")
    check_encoding(encoding)
    definition = AgentDefinition(
        name=attached_name("name", name),
        capabilities=capabilities_of(capabilities),
        mailbox_capacity=mailbox_capacity,
        concurrency=concurrency,
        order=order,
        timeout_s=timeout_s,
        escalate_to=escalate_to,
        state=state,
        group=bool(group),
        encoding=encoding,
    )

    def decorate(handler: HandlerLike) -> HandlerLike:
        methods_of(handler)
        setattr(handler, KEPT_AS, definition)
        return handler

    return decorate


def definition_of(thing: object) -> AgentDefinition:
    """Return what the decorator kept; raises ValidationError for what was never decorated."""
    found = getattr(thing, KEPT_AS, None)
    if not isinstance(found, AgentDefinition):
        raise ValidationError("agent", f"{shown(thing)} is no agent; decorate it with @caxton.agent(name)")
    return found


def instance_of(thing: object) -> object:
    """Return what handles messages: an instance of a class, made without arguments, or the thing itself.

    Raises ValidationError for a class that wants arguments.
    """
    if not inspect.isclass(thing):
        return thing
    try:
        inspect.signature(thing).bind()
    except TypeError as error:
        wants = f"{thing.__name__} wants arguments ({error}): give an instance of it"
        raise ValidationError("agent", wants) from None
    return thing()


def methods_of(thing: object) -> dict[Performative | None, Method]:
    """Return what handles each act, and by None what handles all others. Raises ValidationError where nothing does."""
    if not inspect.isclass(thing) and (inspect.isfunction(thing) or inspect.ismethod(thing)):
        return {None: _method(thing.__name__, thing)}
    methods: dict[Performative | None, Method] = {}
    for name, function in inspect.getmembers(thing, callable):
        if name == FOR_ALL_OTHERS:
            methods[None] = _method(name, function, bound=not inspect.isclass(thing))
        elif name.startswith(METHOD_PREFIX):
            methods[_act_of(name)] = _method(name, function, bound=not inspect.isclass(thing))
    if methods:
        return methods
    if inspect.isclass(thing) or not callable(thing):
        raise ValidationError(
            "agent", f"{shown(thing)} has no method on_message, and none for an act such as on_request"
        )
    return {None: _method(type(thing).__name__, thing)}


def _act_of(method: str) -> Performative:
    act = method.removeprefix(METHOD_PREFIX).replace("_", "-")
    found = BY_ACT.get(act)
    if found is not None:
        return found
    near = get_close_matches(act, ACTS, 1)
    hint = f"; is {METHOD_PREFIX}{near[0].replace('-', '_')} meant?" if near else ""
    raise ValidationError("agent", f"{method} names none of FIPA's 22 acts{hint}")


def _method(name: str, function: Callable[..., Any], *, bound: bool = True) -> Method:
    """Describe a function; raises ValidationError when it cannot be called with a message, or a message and a turn."""
    try:
        parameters = [p for p in inspect.signature(function).parameters.values() if p.kind in _POSITIONAL]
    except (TypeError, ValueError):
        raise ValidationError("agent", f"{name} is not a function that takes a message") from None
    wanted = [p for p in parameters if p.default is p.empty or p.name == "turn"]
    count = len(wanted) - (not bound)
    if count not in _ARGUMENTS:
        raise ValidationError("agent", f"{name} takes {count} arguments; it is called with a message, or also a turn")
    awaits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    return Method(function, count == max(_ARGUMENTS), not awaits)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
