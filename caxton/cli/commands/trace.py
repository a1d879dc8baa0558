"""`caxton trace`."""

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec.structs import asdict

from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_hint, print_json, print_lines, reports_errors
from caxton.cli.session import with_client
from caxton.cli.trace_text import lines_of, traces_of
from caxton.client.calls.span_calls import MOST_SPANS, Spans
from caxton.client.client import Client
from caxton.errors import MessageNotFound
from caxton.printable import counted, shown
from caxton.wire.span import Span

EXAMPLES = (
    "Examples: caxton trace 0af7651916cd43dd8448eb211c80319c; caxton trace 019b76da-a800-7abc-8000-000000003000 -o json"
)


@reports_errors
def trace(
    which: Annotated[
        str,
        typer.Argument(metavar="ID", help="A trace, a message of it, or a conversation.", show_default=False),
    ],
    *,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show where a sampled message went, what it caused and how long each step took, as a tree.

    Only what is sampled can be shown, and only as long as its shards keep it: docs/tracing.md.
    """

    async def use(client: Client) -> Spans:
        return await client.spans(limit=MOST_SPANS)

    told = with_client(runtime_dir, use)
    traces = traces_of(told.spans, which)
    if not traces:
        raise MessageNotFound("trace", f"no span of {shown(which)} is kept: it was not sampled, or is too long ago")
    if output is Format.JSON:
        print_json([_values(spans) for spans in traces])
    else:
        for spans in traces:
            print_lines(lines_of(spans))
    if told.missing:
        print_hint(f"of {counted(len(told.missing), 'shards')} nothing is known, which do not serve now")


def _values(spans: Sequence[Span]) -> dict[str, object]:
    return {"trace_id": spans[0].trace_id, "spans": [{**asdict(span), "took_ms": span.took_ms} for span in spans]}
