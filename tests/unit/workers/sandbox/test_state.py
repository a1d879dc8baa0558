"""How an agent's state reaches its next instance: through caxton_init, under every limit."""

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope
from caxton.agents.limits import KIB, MAX_STATE, Limits
from caxton.errors import ResourceLimitExceeded
from caxton.ids import AgentNames
from workers.sandbox.guest_messages import GuestOutput
from workers.sandbox.traps import Trap, TrapReason

INIT = '(func (export "caxton_init") (param i32 i32) (result i32)'
ALLOC = '(func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))'
HANDLE = '(func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))'


def guest(init="(i32.const 0))", alloc=ALLOC, more=""):
    return f'(module (memory (export "memory") 2) {more} {alloc} {HANDLE} {INIT} {init})'


def state_of(sandbox):
    return msgspec.msgpack.decode(sandbox.handle(b""))["state"]


@given(state=st.binary(min_size=1, max_size=3 * 4 * KIB))
@example(state=b"s" * MAX_STATE)
@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_instance_is_given_its_state(all_sandboxes, state):
    """The state reaches caxton_init byte for byte, whatever it is and up to the largest, memory grown or not."""
    sandbox = all_sandboxes.start("state_echo", state=state)
    assert sandbox.handle(b"") == state
    assert sandbox.memory_bytes >= 4 * 64 * KIB
    sandbox.close()


def test_the_next_instance_goes_on_from_the_state(start):
    """Turns counted in the state go on over three instances, each closed before the next starts."""
    state, seen = b"", []
    for _ in range(3):
        sandbox = start("state_counts", state=state)
        for _ in range(2):
            state = state_of(sandbox)
            seen.append(int.from_bytes(state, "little"))
        sandbox.close()
    assert seen == [1, 2, 3, 4, 5, 6]


def test_messages_after_a_state_use_the_same_in_buffer(start):
    """The in buffer that brought the state serves the messages: a guest that never frees is asked for no second one."""
    sandbox = start("state_echo", state=b"s" * 4_000)
    before = sandbox.memory_bytes
    for _ in range(10):
        assert sandbox.handle(b"m" * 4_096) == b"s" * 4_000
    assert sandbox.memory_bytes == before == 4 * 64 * KIB  # one at first, one for the in buffer, two by caxton_init


def test_a_guest_without_caxton_init_is_not_told(start):
    """An agent without caxton_init starts although it has a state, and handles messages."""
    assert start("echo", state=b"nobody reads this").handle(b"hello") == b"hello"


@pytest.mark.parametrize(("name", "state", "answer"), [("state_refused", b"x", 1), ("state_counts", b"short", 4)])
def test_a_guest_that_refuses_its_state_does_not_start(start, name, state, answer):
    """When caxton_init answers anything but 0, the trap tells the answer and how large the state was."""
    with pytest.raises(Trap) as raised:
        start(name, state=state)
    assert raised.value.reason is TrapReason.INSTANTIATION
    assert raised.value.detail == f"caxton_init answered {answer}, given its state of {len(state)} bytes; 0 means ready"
    assert start(name).handle(b"") is not None


@pytest.mark.parametrize(
    ("text", "limits", "reason"),
    [
        (guest("unreachable)"), Limits(), TrapReason.UNREACHABLE),
        (guest("(loop (br 0)) unreachable)"), Limits(max_fuel=20_000), TrapReason.OUT_OF_FUEL),
        (guest("(loop (br 0)) unreachable)"), Limits(max_fuel=10**12), TrapReason.DEADLINE),
        (guest(alloc=ALLOC.replace("65536", "0")), Limits(), TrapReason.MEMORY_REFUSED),
        (guest(alloc=ALLOC.replace("65536", "-8")), Limits(), TrapReason.BAD_POINTER),
        (guest(alloc=ALLOC.replace("65536", "130000")), Limits(), TrapReason.BAD_POINTER),
        (guest(alloc=ALLOC.replace("(i32.const 65536)", "unreachable")), Limits(), TrapReason.UNREACHABLE),
    ],
)
def test_the_rules_hold_while_a_state_is_given(start, text, limits, reason):
    """A guest that traps, burns its budget or points outside its memory at its state is stopped like in any call."""
    with pytest.raises(Trap) as raised:
        start(text, limits, b"s" * 5_000)
    assert raised.value.reason is reason


def test_a_guest_may_log_while_it_is_given_its_state(nursery):
    """What caxton_init says of the state is logged."""
    log = '(import "caxton_v1" "log" (func $log (param i32 i32 i32)))'
    text = guest("(call $log (i32.const 1) (local.get 0) (local.get 1)) (i32.const 0))")
    nursery.start(text.replace("(module", f"(module {log}"), state=b"as I was")
    assert nursery.logged == [(1, "as I was")]


def test_a_guest_that_returns_too_large_a_state_goes_beyond_a_limit(start):
    """A guest's state of 65,537 bytes is refused by the limit of that name."""
    output = start("state_too_large").handle(b"")
    with pytest.raises(ResourceLimitExceeded) as raised:
        GuestOutput(AgentNames(bytes(32))).read(output, Envelope(bytes(16), 7, 5, 6, b""), 6, 256, lambda: bytes(16), 1)
    assert (raised.value.resource, raised.value.limit) == ("state", 65_536)
