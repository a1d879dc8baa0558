"""A trace as people read it, and how it is found."""

from caxton.cli.trace_text import lines_of, traces_of
from caxton.wire.span import Span

TRACE, OTHER = "a" * 32, "b" * 32
MS = 1_000_000


def span(number, parent, name, **fields):
    known = {"trace_id": TRACE, "began_ns": number * MS, "ended_ns": (number + 2) * MS, "attributes": {}} | fields
    return Span(span_id=f"{number:016x}", parent_id=parent and f"{parent:016x}", name=name, **known)


def test_each_step_stands_below_what_it_follows_from():
    """In the order in which they began, with times; what waited and what failed is said; what does not print is not."""
    about = {"performative": "request", "sender": "s", "agent_name": "echo\x1b"}
    spans = [
        span(1, None, "message_routing", attributes=about),
        span(2, 1, "message_process", attributes=about, waited_ns=MS // 2, outcome="failed"),
        span(3, 2, "agent_spawn", attributes={"name": "echo"}),
        span(4, 9, "contract_net_protocol"),
    ]
    head, *steps = lines_of(spans)
    assert head.startswith(f"trace {TRACE}, from ")
    assert steps == [
        "     0.000 ms  message_routing: request from s to echo\\x1b: 2.000 ms",
        "     1.000 ms    message_process: echo\\x1b handles it: 2.000 ms, waited 0.500 ms, failed",
        "     2.000 ms      agent_spawn: echo has its instance made: 2.000 ms",
        "     3.000 ms  contract_net_protocol: contract net with ? agents: 2.000 ms",
    ]


def test_what_clients_leave_in_circles_ends():
    """A span below itself, and two of one id, are shown once or not at all."""
    twice = span(1, 1, "agent_deploy")
    assert len(list(lines_of([span(1, None, "agent_deploy"), twice, span(2, 1, "agent_deploy")]))) == 4


def test_a_trace_is_found_by_what_belongs_to_it():
    """By its own id, by a message's and by a conversation's, however these are written."""
    message, conversation = "019b76da-a800-7abc-8000-000000003000", "019b76da-a800-7abc-8000-000000003001"
    mine = span(1, None, "message_routing", attributes={"message_id": message, "conversation_id": conversation})
    also = span(2, 1, "agent_spawn")
    other = span(3, None, "agent_deploy", trace_id=OTHER)
    for which in (TRACE, TRACE.upper(), message, message.replace("-", ""), conversation):
        assert traces_of([also, mine, other], which) == [[mine, also]]
    assert traces_of([mine, other], "nothing") == traces_of([mine, other], "") == []
