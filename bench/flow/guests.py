"""The agents of a graph as WebAssembly: modules made from text, with the messages that they send as fixed bytes."""

import struct
from collections.abc import Mapping
from pathlib import Path

import msgspec
import wasmtime

from bench.flow.graphs import ANSWER, ASK, REQUEST, SENDER, TELL, Agent, Rule, Said
from bench.guests.echo import echo_wasm

# What enters and what is said has just this in it: how many hops are left.
_HOPS = struct.Struct("<I")
_FRAME = Path(__file__).with_name("agent.wat").read_text(encoding="utf-8")
_AT = 4_096
_TOKEN = b"\x11" * 16
# Numbers that stand for what a guest puts in, and that nothing else in its messages looks like.
_SENDER_MARK = 0x7EFE_FEFE_FEFE_FEFE
_HOPS_MARK = b"\xfd\xfe\xfe\xfd"


def content(hops: int) -> bytes:
    """Return the contents of a message with so many hops left."""
    return _HOPS.pack(hops)


def encoding(agent: Agent) -> str:
    """Return the encoding that an agent is deployed with."""
    return "msgpack" if agent.rules else "content"


def module(agent: Agent, names: Mapping[str, str]) -> bytes:
    """Return an agent's module. names: what the agents of the graph are called in the runtime."""
    if not agent.rules:
        return echo_wasm()
    at, blobs, rules = _AT, [], {}
    for performative in (REQUEST, ASK, TELL):
        rule = agent.rules.get(performative, Rule())
        output = _output(rule.says, names)
        rules[performative] = _steps(rule, at, output)
        escaped = "".join(f"\\{byte:02x}" for byte in output)
        blobs.append(f'(data (i32.const {at}) "{escaped}")')
        at += len(output)
    text = _FRAME.replace(";; data", "\n  ".join(blobs))
    for performative, steps in rules.items():
        text = text.replace(f";; {performative}", steps)
    return bytes(wasmtime.wat2wasm(text))


def _output(says: tuple[Said, ...], names: Mapping[str, str]) -> bytes:
    return msgspec.msgpack.encode({"messages": [_message(said, names) for said in says]})


def _message(said: Said, names: Mapping[str, str]) -> dict[str, object]:
    message: dict[str, object] = {"performative": said.performative, "content": _HOPS_MARK}
    if said.to == SENDER:
        message["receiver"] = _SENDER_MARK
    elif said.to != ANSWER:
        message["receiver"] = names[said.to]
    if said.asks:
        message["reply_with"] = _TOKEN
    return message


def _steps(rule: Rule, at: int, output: bytes) -> str:
    """Return what a guest does by a rule whose output, but for hops and sender, lies at `at`."""
    if not rule.says:
        return ""
    steps = []
    left = "(local.get $hops)"
    if rule.counts_hops:
        left = f"(i32.sub {left} (i32.const 1))"
        steps.append("(if (i32.eqz (local.get $hops)) (then (return (i64.const 0))))")
    if rule.every > 1:
        steps.append("(global.set $times (i32.add (global.get $times) (i32.const 1)))")
        steps.append(f"(if (i32.rem_u (global.get $times) (i32.const {rule.every})) (then (return (i64.const 0))))")
    steps += [f"(i32.store (i32.const {at + place}) {left})" for place in _places(output, _HOPS_MARK)]
    steps += [
        f"(i64.store (i32.const {at + place}) (local.get $sender))"
        for place in _places(output, _SENDER_MARK.to_bytes(8))
    ]
    steps.append(f"(return (i64.const {at << 32 | len(output)}))")
    return "\n        ".join(steps)


def _places(output: bytes, mark: bytes) -> list[int]:
    places, place = [], output.find(mark)
    while place >= 0:
        places.append(place)
        place = output.find(mark, place + len(mark))
    return places
