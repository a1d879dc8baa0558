import msgspec
import pytest
import wasmtime

from faultlab.cast import relay_module, tally_module
from faultlab.serial import Serial, relayed
from faultlab.worker import beginning_with


class Guest:
    """A guest without the runtime around it."""

    def __init__(self, module):
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, wasmtime.Module(engine, module), []).exports(self.store)

    def handle(self, content):
        memory = self.exports["memory"]
        at = self.exports["caxton_alloc"](self.store, len(content))
        memory.write(self.store, content, at)
        packed = self.exports["handle_message"](self.store, at, len(content))
        return bytes(memory.read(self.store, packed >> 32, (packed >> 32) + (packed & 0xFFFF_FFFF)))


def given(content):
    return msgspec.msgpack.encode({"performative": "inform", "sender": 2**63 + 5, "receiver": 7, "content": content})


@pytest.mark.parametrize("copies", [1, 2])
def test_a_relay_passes_on_what_it_is_given(copies):
    """A relay sends the rest of its content, so many times, to the agent that the content names."""
    content = Serial(1, 2).encode()
    out = msgspec.msgpack.decode(Guest(relay_module(copies)).handle(given(relayed("recorder-12", content))))

    assert out == {"messages": [{"receiver": "recorder-12", "content": content}] * copies}


def test_who_passes_a_deadly_content_on_does_not_die_of_it():
    """Only a content that begins with the name is deadly, and what a relay makes of one that has it further on."""
    deadly = relayed("deadly-name", Serial(1, 2).encode())
    is_deadly = beginning_with(relayed("deadly-name", b"")).search
    passed_on = given(relayed("second-3", deadly))
    made = msgspec.msgpack.decode(Guest(relay_module()).handle(passed_on))["messages"][0]

    assert is_deadly(passed_on) is None
    assert (made["receiver"], bool(is_deadly(given(made["content"])))) == ("second-3", True)


def test_a_relay_traps_on_a_name_that_is_not_there():
    """Content that is shorter than the name it announces is a trap, every time."""
    guest = Guest(relay_module())
    for _ in range(2):
        with pytest.raises(wasmtime.Trap):
            guest.handle(given(b"\xff" + Serial(1, 2).encode()))


def test_a_tally_counts_what_has_content():
    """A tally answers an empty message with the number of those before it that were not empty."""
    guest = Guest(tally_module())

    assert guest.handle(b"") == (0).to_bytes(8, "little")
    for _ in range(3):
        assert guest.handle(b"x") == b""
    assert guest.handle(b"") == (3).to_bytes(8, "little")
