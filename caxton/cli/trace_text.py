"""A trace as a tree with times."""

from collections.abc import Iterator, Sequence

from caxton.forms.moments import moment
from caxton.printable import printable
from caxton.wire.span import Span
from caxton.wire.spans import DONE

_NS_PER_MS = 1_000_000
_IDS = ("message_id", "conversation_id")


def traces_of(spans: Sequence[Span], which: str) -> list[list[Span]]:
    """Return the traces that are meant by their own id, or by that of a message or a conversation, each in order."""
    wanted = which.replace("-", "").lower()
    found = dict.fromkeys(span.trace_id for span in spans if wanted in _ids_of(span))
    return [sorted((s for s in spans if s.trace_id == trace), key=lambda s: s.began_ns) for trace in found]


def lines_of(spans: Sequence[Span]) -> Iterator[str]:
    """Yield the lines of a trace: when each step began after the first, what it was, and how long it took."""
    began_ns = spans[0].began_ns
    yield f"trace {spans[0].trace_id}, from {moment(began_ns // _NS_PER_MS)}"
    known = {span.span_id for span in spans}
    below: dict[str | None, list[Span]] = {}
    for span in spans:
        below.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    stack = [(span, 0) for span in reversed(below.get(None, []))]
    while stack:  # what stands below one that was shown is shown once, whatever clients have left
        span, depth = stack.pop()
        yield f"{(span.began_ns - began_ns) / _NS_PER_MS:>10.3f} ms  {'  ' * depth}{_step(span)}"
        stack += [(each, depth + 1) for each in reversed(below.pop(span.span_id, []))]


def _ids_of(span: Span) -> set[str]:
    return {span.trace_id, *(str(span.attributes[name]).replace("-", "") for name in _IDS if name in span.attributes)}


def _step(span: Span) -> str:
    """Return one step in words."""
    about = span.attributes
    match span.name:
        case "message_routing":
            what = f"{about.get('performative')} from {about.get('sender')} to {about.get('agent_name')}"
        case "message_process":
            what = f"{about.get('agent_name')} handles it"
        case "agent_spawn":
            what = f"{about.get('name')} has its instance made"
        case "agent_deploy":
            what = f"{about.get('agent_name')} is deployed"
        case _:
            what = f"contract net with {about.get('participant_count', '?')} agents"
    waited = f", waited {span.waited_ns / _NS_PER_MS:.3f} ms" if span.name == "message_process" else ""
    ended = "" if span.outcome == DONE else f", {span.outcome}"
    return f"{span.name}: {printable(what)}: {span.took_ms:.3f} ms{waited}{ended}"
