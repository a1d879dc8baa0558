"""What there may be several of in a frame has an end: as many as the bound says pass, and one more is refused."""

import pytest

from caxton.acl.envelope import Envelope
from caxton.agents.manifest import MAX_CAPABILITIES
from caxton.agents.names import MAX_NAME
from caxton.delivery.levels import NearLimit
from caxton.errors import InvalidMessageFormat
from caxton.errors.travel import MAX_ITEMS
from caxton.transport.zmtp import SMALL_FRAME
from caxton.wire.audit import MAX_AUDIT_PAGE, ReadAudit
from caxton.wire.busy import MAX_BUSIEST, AskBusiest
from caxton.wire.calls import (
    MAX_BATCH,
    MAX_CONCURRENCY,
    MAX_DELIVERIES,
    MAX_FIELDS,
    MAX_FILTER,
    MAX_HELD,
    Attach,
    Ended,
    Exchange,
    Failed,
    ListAgents,
    RemoveAgents,
)
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.condition import MOST_NAMED, MOST_NEAR, WELL, Condition, Named
from caxton.wire.control import Answer, Call, Heartbeat
from caxton.wire.counters import COUNTERS
from caxton.wire.frames import MAX_FRAME_MESSAGES, DataFrame
from caxton.wire.kept import MAX_PAGE, ListKept
from caxton.wire.link_state import MAX_FULL, MAX_REFUSALS, LinkState, Refusal

MARK = bytes(range(16))


def state(refusals=(), full=()):
    return LinkState(1, MARK, 2, 0, 1, "", 0, 64, 1, 0, [*refusals], [*full], 0, 0)


def call(request):
    return Call(1, MARK, 2, 3, request)


def failed(fields):
    return Answer(1, MARK, 2, 3, Failed("X", fields))


def beats(names):
    condition = Condition(failed=Named(len(names), names))
    return Heartbeat(1, MARK, 0, ready=True, phase=0, idle=True, counters={}, condition=condition)


def is_near(count):
    condition = Condition(near=[NearLimit("keys", 8, 10, "", 0)] * count)
    return Heartbeat(1, MARK, 0, ready=True, phase=0, idle=True, counters={}, condition=condition)


# How many there may be, and a frame with so many; where a number stands for many, one with that number.
FRAMES = {
    "refusals": (MAX_REFUSALS, lambda n: state(refusals=[Refusal(1, 1, "X", {})] * n)),
    "agents without room": (MAX_FULL, lambda n: state(full=[1] * n)),
    "items of a field": (MAX_ITEMS, lambda n: failed({"a": ["x"] * n})),
    "fields of an error": (MAX_FIELDS, lambda n: failed({str(place): 1 for place in range(n)})),
    "agents to remove": (MAX_BATCH, lambda n: call(RemoveAgents([1] * n))),
    "agents of a page": (MAX_BATCH, lambda n: call(ListAgents(limit=n))),
    "messages of a page": (MAX_PAGE, lambda n: call(ListKept(1, limit=n))),
    "characters of a filter": (MAX_FILTER, lambda n: call(ListAgents(state="x" * n))),
    "names that are told": (MOST_NAMED, lambda n: beats(["x"] * n)),
    "limits that are near": (MOST_NEAR, is_near),
    "what a program has still": (MAX_HELD, lambda n: call(Exchange(1, [], 1, 0, kept=[1] * n))),
    "what it gives back": (MAX_HELD, lambda n: call(Exchange(1, [], 1, 0, returned=[1] * n))),
    "ends of deliveries": (MAX_DELIVERIES, lambda n: call(Exchange(1, [Ended(1)] * n, 1, 0))),
    "deliveries that it asks for": (MAX_DELIVERIES, lambda n: call(Exchange(1, [], n, 0))),
    "calls at once": (MAX_CONCURRENCY, lambda n: call(Exchange(1, [], 1, 0, concurrency=n))),
    "rows of the audit": (MAX_AUDIT_PAGE, lambda n: call(ReadAudit(limit=n))),
    "busiest agents": (MAX_BUSIEST, lambda n: call(AskBusiest("turns", n))),
    "capabilities": (MAX_CAPABILITIES, lambda n: call(Attach("x", ("x",) * n))),
    "characters of a name": (MAX_NAME, lambda n: call(Attach("x" * n))),
}


@pytest.mark.parametrize("what", FRAMES)
def test_as_many_as_the_bound_says_pass_and_one_more_does_not(what):
    """Every list, and every number that says how many, ends at its bound when it is decoded."""
    most, frame = FRAMES[what]
    CONTROL.decode(CONTROL.encode(frame(most)))
    with pytest.raises(InvalidMessageFormat):
        CONTROL.decode(CONTROL.encode(frame(most + 1)))


def test_the_largest_heartbeat_fits_the_supervisors_inlet():
    """With every counter there is, and the longest names wherever there may be some: it ends no worker's line."""
    name, most = "\U0001f600" * MAX_NAME, 2**63 - 1
    near = NearLimit("principal_dead_letter_bytes", most, most, f"agent {name}", most)
    largest = {int: most, bool: True, str: name, Named: Named.of([name] * MOST_NAMED), list: [near] * MOST_NEAR}
    condition = Condition(**{field: largest[type(getattr(WELL, field))] for field in Condition.__struct_fields__})
    counters = dict.fromkeys(COUNTERS, most)
    beat = Heartbeat(most, MARK, 31, ready=True, phase=2, idle=True, counters=counters, condition=condition)
    assert len(CONTROL.encode(beat)) < SMALL_FRAME


def test_a_data_frame_has_256_messages_at_most():
    """The messages of a frame are counted before any of them is placed."""
    message = Envelope(bytes(16), 7, 1, 2, b"")

    def frame(count):
        return DATA.encode(DataFrame(1, MARK, 2, 0, 1, resent=False, messages=[message] * count))

    DATA.decode(frame(MAX_FRAME_MESSAGES))
    with pytest.raises(InvalidMessageFormat):
        DATA.decode(frame(MAX_FRAME_MESSAGES + 1))
