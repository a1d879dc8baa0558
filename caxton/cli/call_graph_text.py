"""The call graph as a table, and as Graphviz draws it."""

from collections.abc import Iterator

from caxton.cli.columns import Columns
from caxton.printable import printable
from caxton.wire.call_graph import CallGraph, CallPair

_COLUMNS = ("from", "to", "messages/s", "±", "failures/s", "±")
# A name in a drawing, in characters; and how thick its lines are.
_MOST_NAME = 60
_THIN, _THICK = 1.0, 6.0


def lines_of(graph: CallGraph) -> Iterator[str]:
    """Yield a table of the pairs, and what is to be known of it."""
    yield from Columns(_COLUMNS).page(_row(pair) for pair in graph.pairs)
    if not graph.pairs:
        yield "nobody has sent anything"
    if graph.rest_messages_per_s or graph.rest_failures_per_s:
        yield f"all others: {graph.rest_messages_per_s:,.1f} messages/s, {graph.rest_failures_per_s:,.1f} failures/s"
    how = "everything was counted" if graph.counted >= 1 else f"estimates: {graph.counted:.2%} of the passes counted"
    yield f"of the last {graph.over_ms / 1_000:.1f} s; {how}"


def dot_of(graph: CallGraph) -> Iterator[str]:
    """Yield the lines of a graph for Graphviz. A line is as thick as it carries messages, and red where any failed."""
    yield "digraph calls {"
    yield "  rankdir=LR; node [shape=box, style=rounded];"
    for party, name in sorted(_parties(graph).items()):
        yield f'  "{party:016x}" [label={_quoted(name)}];'
    most = max((pair.messages_per_s for pair in graph.pairs), default=0.0) or 1.0
    for pair in graph.pairs:
        width = _THIN + (_THICK - _THIN) * pair.messages_per_s / most
        failed = pair.failures_per_s > 0
        label = f"{pair.messages_per_s:,.1f}/s" + (f", {pair.failures_per_s:,.1f} failed" if failed else "")
        colour = ', color="#b3261e", fontcolor="#b3261e"' if failed else ""
        ends = f'"{pair.sender_id:016x}" -> "{pair.receiver_id:016x}"'
        yield f'  {ends} [label="{label}", penwidth={width:.2f}{colour}];'
    yield "}"


def sender_of(pair: CallPair) -> str:
    """Return what the sender is called."""
    return "clients" if pair.sender is None else pair.sender_name or str(pair.sender)


def receiver_of(pair: CallPair) -> str:
    """Return what the receiver is called."""
    return "clients" if pair.receiver is None else pair.receiver_name or str(pair.receiver)


def _row(pair: CallPair) -> tuple[str, ...]:
    messages, failures = f"{pair.messages_per_s:,.1f}", f"{pair.failures_per_s:,.1f}"
    errors = [f"{error:,.1f}" if error else "" for error in (pair.messages_error, pair.failures_error)]
    return sender_of(pair), receiver_of(pair), messages, errors[0], failures, errors[1]


def _parties(graph: CallGraph) -> dict[int, str]:
    return {pair.sender_id: sender_of(pair) for pair in graph.pairs} | {
        pair.receiver_id: receiver_of(pair) for pair in graph.pairs
    }


def _quoted(name: str) -> str:
    r"""Return a name as a string of Graphviz, in which \ begins an escape of its own."""
    text = printable(name, _MOST_NAME).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
