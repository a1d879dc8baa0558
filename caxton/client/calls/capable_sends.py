"""Messages to capabilities: an agent is chosen for each, and another one when that one refuses it."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from msgspec import structs

from caxton.acl.capability import Balancing
from caxton.acl.envelope import MOST_TRIED, Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_RETRIES
from caxton.client.routes.batches import Batch
from caxton.client.routes.capable_agents import CapableAgents
from caxton.client.routes.receipts import Receipt
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    CircuitBreakerOpen,
    Deadlock,
    NoCapableAgents,
    QueueFull,
    ShardUnavailable,
)
from caxton.ids import AgentId

T = TypeVar("T")

# What says that a message had no effect, and that another agent may take it.
REFUSALS = (AgentNotFound, AgentNotRunning, CircuitBreakerOpen, Deadlock, QueueFull, ShardUnavailable)


class Course(NamedTuple):
    """One message on its way: its place among those of a call, and the agents that refused it, the last one `error`."""

    place: int
    message: Envelope
    tried: tuple[int, ...] = ()
    error: CaxtonError | None = None


async def send_capable(
    capable: CapableAgents,
    unresolved: Sequence[tuple[int, Envelope]],
    batch: Batch[T],
    send: Callable[[list[Message]], Awaitable[list[T | CaxtonError]]],
    timeout_s: float,
) -> None:
    """Give each of these messages its result in the batch, whichever agent took it.

    send: sends messages whose receivers are chosen. Of one message no more agents are tried than its max_retries allow
    beside the first.
    """
    courses = [Course(place, message) for place, message in unresolved]
    while courses:
        going: list[tuple[Course, int]] = []
        for course in courses:
            try:
                going.append((course, await _agent_for(capable, course, timeout_s)))
            except CaxtonError as error:
                batch.end(course.place, _unfound(course, error))
        results = await send([_going(course, agent) for course, agent in going]) if going else []
        courses = []
        for (course, agent), result in zip(going, results, strict=True):
            tried = (*course.tried, agent)
            if isinstance(result, REFUSALS) and len(tried) <= _retries(course.message):
                courses.append(Course(course.place, course.message, tried, result))
            elif isinstance(result, CaxtonError):
                batch.end(course.place, _with_tried(result, course.tried))
            else:
                batch.end(course.place, _told(result, agent, course.tried))


async def _agent_for(capable: CapableAgents, course: Course, timeout_s: float) -> int:
    rare = course.message.rare or Rare()
    key, balancing = rare.capability or "", rare.balancing or Balancing.LEAST_CONNECTIONS
    number = None if rare.idempotency_key is None else _number_of(rare.idempotency_key)
    conversation = course.message.conversation_id
    picked = None if conversation is None else capable.remembered(conversation, key, course.tried)
    picked = picked or capable.pick(key, balancing, course.tried, number)
    picked = picked or await capable.find(key, balancing, course.tried, number, timeout_s)
    if conversation is not None:
        capable.remember(conversation, key, picked)
    return picked


def _number_of(idempotency_key: str) -> int:
    """Return what chooses the same agent for the same key: a second delivery to another would be one too many."""
    return int.from_bytes(blake2b(idempotency_key.encode(), digest_size=8).digest(), "big")


def _going(course: Course, agent: int) -> Message:
    message = course.message
    rare = structs.replace(message.rare or Rare(), tried=course.tried[:MOST_TRIED])
    return Message.of(structs.replace(message, receiver=agent, rare=rare))


def _retries(message: Envelope) -> int:
    return DEFAULT_RETRIES if message.rare is None else message.rare.max_retries


def _told(result: T, agent: int, tried: tuple[int, ...]) -> T:
    if isinstance(result, Receipt):
        return structs.replace(result, agent=AgentId(agent), tried=tuple(map(AgentId, tried)))
    return result


def _unfound(course: Course, error: CaxtonError) -> CaxtonError:
    """Return what is told when nobody else is found: that there is nobody, and what the last one said."""
    if course.error is None:
        return error
    if isinstance(error, NoCapableAgents):
        return error.with_context(f"the last one: {course.error}")
    return _with_tried(course.error, course.tried)


def _with_tried(error: CaxtonError, tried: tuple[int, ...]) -> CaxtonError:
    return error.with_context(f"tried before: {', '.join(str(AgentId(agent)) for agent in tried)}") if tried else error
