"""The call graph as a table and for Graphviz, whatever agents are called."""

from caxton.cli.call_graph_text import dot_of, lines_of
from caxton.forms.call_graph_form import CallGraphForm
from caxton.wire.call_graph import CLIENTS, CallGraph, CallPair

HOSTILE = 'x"]; evil [label="\\" \x1b[31m\u202e'
GRAPH = CallGraph(
    [
        CallPair(CLIENTS, 7, "", "echo", 1_250.0, 12.5, 0.0, 0.0),
        CallPair(7, 8, "echo", HOSTILE, 2.0, 0.0, 1.0, 0.0),
        CallPair(9, CLIENTS, "", "", 0.5, 0.0, 0.0, 0.0),
    ],
    3.0,
    0.5,
    5_000,
    0.25,
    [1],
)


def test_a_table_says_who_sends_to_whom():
    """With errors of estimates, what is left out, and how it was counted; nothing of a name is a control."""
    lines = list(lines_of(GRAPH))
    assert [line.split() for line in lines[:2]] == [
        ["from", "to", "messages/s", "±", "failures/s", "±"],
        ["clients", "echo", "1,250.0", "12.5", "0.0"],
    ]
    assert "\\x1b[31m\\u202e" in lines[2]
    assert lines[3].split()[:2] == ["0000000000000009", "clients"]
    assert lines[4] == "all others: 3.0 messages/s, 0.5 failures/s"
    assert lines[5] == "of the last 5.0 s; estimates: 25.00% of the passes counted"
    assert all(line.isprintable() for line in lines)
    quiet = list(lines_of(CallGraph([], 0.0, 0.0, 1_000, 1.0)))
    assert quiet[-2:] == ["nobody has sent anything", "of the last 1.0 s; everything was counted"]


def test_no_name_ends_the_string_that_it_is_in():
    """Whatever is in it, a graph for Graphviz has the nodes and lines that there are."""
    lines = list(dot_of(GRAPH))
    assert (lines[0], lines[-1], len(lines)) == ("digraph calls {", "}", 2 + 4 + 3 + 1)
    (node,) = [line for line in lines if "evil" in line]
    inside = node.removeprefix('  "0000000000000008" [label="').removesuffix('"];')
    assert '"' not in inside.replace('\\"', "").replace("\\\\", "")
    assert sum("b3261e" in line for line in lines) == 1


def test_the_form_is_what_was_told():
    """Back from JSON it is the same graph."""
    assert CallGraphForm.of(GRAPH).graph() == GRAPH
    assert CallGraphForm.of(GRAPH).pairs[0].sender_id is None
