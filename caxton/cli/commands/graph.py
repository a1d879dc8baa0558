"""`caxton graph`."""

from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from caxton.cli.call_graph_text import dot_of, lines_of
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import print_hint, print_json, print_lines, reports_errors
from caxton.cli.session import with_client
from caxton.client.calls.call_graph_calls import MOST_OVER_S
from caxton.client.client import Client
from caxton.forms.call_graph_form import CallGraphForm
from caxton.printable import counted
from caxton.wire.call_graph import MAX_PAIRS, CallGraph

EXAMPLES = "Examples: caxton graph; caxton graph --over 5 --limit 20; caxton graph -o dot | dot -Tsvg > calls.svg"


class GraphFormat(StrEnum):
    """What `caxton graph` prints."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"


@reports_errors
def graph(
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAIRS, help="At most so many pairs.")] = 50,
    over: Annotated[
        float,
        typer.Option(min=0.1, max=MOST_OVER_S, metavar="SECONDS", help="Count for so long at least."),
    ] = 1.0,
    runtime_dir: RuntimeDirOption = None,
    output: Annotated[
        GraphFormat, typer.Option("-o", "--output", help="A table, JSON, or a graph for Graphviz.")
    ] = GraphFormat.TEXT,
) -> None:
    """Show who talks to whom, how much, and what of it fails: the busiest pairs of the last seconds.

    Nothing is counted before somebody asks. Where much goes by rates are estimates, and ± is their standard error.
    """

    async def use(client: Client) -> CallGraph:
        return await client.call_graph(limit, over_s=over)

    told = with_client(runtime_dir, use)
    if output is GraphFormat.JSON:
        print_json(msgspec.to_builtins(CallGraphForm.of(told)))
    else:
        print_lines(lines_of(told) if output is GraphFormat.TEXT else dot_of(told))
    if told.missing:
        print_hint(f"of {counted(len(told.missing), 'shards')} nothing is known, which do not serve now")
