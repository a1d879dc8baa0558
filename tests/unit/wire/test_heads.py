import msgspec
import pytest

from caxton.transport.zmtp import HEAD_BYTES
from caxton.wire import calls, control, link_state, supervision
from caxton.wire.codec import CONTROL, DATA, SUPERVISOR_CALL
from caxton.wire.control import Call, Hello
from caxton.wire.frames import DataFrame
from caxton.wire.heads import Head, call_tag, control_head, data_head

MARK = bytes(range(16))
SOURCES = [0, 1, 127, 128, 300, 70_000, 1 << 40, (1 << 64) - 1]


@pytest.mark.parametrize("source", SOURCES)
def test_a_head_says_who_and_what(source):
    """The first bytes of any frame are enough for its kind, its source and its mark, however large the source is."""
    data = DATA.encode(DataFrame(source, MARK, 1, 0, 1, False, []))
    hello = CONTROL.encode(Hello(source, MARK, 1, 2, 3, 4, 5, answer_wanted=True))
    call = CONTROL.encode(Call(source, MARK, 1, 2, calls.AskLedger()))

    assert data_head(bytes(data[:HEAD_BYTES])) == Head(0, source, MARK)
    assert control_head(bytes(hello[:HEAD_BYTES])) == Head(2, source, MARK)
    assert control_head(bytes(call[:HEAD_BYTES])) == Head(3, source, MARK)


@pytest.mark.parametrize("said", [b"", b"\x01", b"\x02\x98\x01", b"\x01\x98", b"\x01\x98\xcf\x01", b"\x01\xc0" * 30])
def test_what_begins_like_nothing_has_no_head(said):
    """Short and foreign beginnings have no head, and cost no error."""
    assert (data_head(said), control_head(said), call_tag(said)) == (None, None, 0)


def test_a_head_that_is_cut_is_none():
    """A frame whose beginning ends within the mark has no head."""
    data = bytes(DATA.encode(DataFrame(1 << 63, MARK, 1, 0, 1, False, [])))
    assert [data_head(data[:length]) is None for length in (28, 29)] == [True, False]


@pytest.mark.parametrize("call_id", SOURCES)
def test_the_kind_of_a_call_is_in_its_head(call_id):
    """The tag of a request to the supervisor is read from its first bytes."""
    ask = SUPERVISOR_CALL.encode(supervision.SupervisorCall(call_id, supervision.AskHealth()))
    assert call_tag(bytes(ask)) == 3


def containers(kind, path):
    """Yield every list, tuple and map within a type that has no bound, by its path."""
    if isinstance(kind, msgspec.inspect.UnionType):
        for option in kind.types:
            yield from containers(option, path)
    elif isinstance(kind, msgspec.inspect.StructType):
        for field in kind.fields:
            yield from containers(field.type, f"{path}.{kind.cls.__name__}.{field.name}")
    elif isinstance(kind, msgspec.inspect.ListType | msgspec.inspect.VarTupleType | msgspec.inspect.DictType):
        if kind.max_length is None:
            yield path
        inside = kind.value_type if isinstance(kind, msgspec.inspect.DictType) else kind.item_type
        yield from containers(inside, f"{path}[]")


@pytest.mark.parametrize(
    "kind",
    [DataFrame, Call, Hello, link_state.LinkState, supervision.SupervisorCall, control.Heartbeat],
    ids=lambda kind: kind.__name__,
)
def test_whatever_a_stranger_says_has_a_bound(kind):
    """No list and no map that a client or a worker may send is unbounded: a long one takes long to decode."""
    assert [*containers(msgspec.inspect.type_info(kind), "")] == []
