"""The hostile corpus, which `tests/guests/hostile` holds: guests that mean harm, and what each must meet."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import wasmtime

from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding

# What an agent of the corpus is called while it is tried; they are tried one after the other. `@self` is that name.
NAME = "hostile"
FOLDER = Path(__file__).parents[2] / "tests" / "guests" / "hostile"
_REPEATED = re.compile(r"<<(\d+) ((?:(?!<<|>>).)*)>>")
_MANY = re.compile(r"x:(\d+) (.*)")
_ANSWER_AT = 1_024
_MEMORY = '(memory (export "memory") 2)'
_ALLOC = '(func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))'
_HANDLE = '(func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))'
_BOTH_ENCODINGS, _BOTH_LANES = ("content", "msgpack"), ("at_most_once", "at_least_once")
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class Kind:
    """One way to do harm. meets: the outcomes of which one must come. apart: only a compiler's own process may meet it.

    lanes, encodings: where it is tried.
    """

    name: str
    file: str
    meets: frozenset[str]
    encodings: tuple[Encoding, ...]
    lanes: tuple[str, ...]
    limits: Limits
    apart: bool
    _said: dict[str, Any] = field(repr=False)

    @cached_property
    def wasm(self) -> bytes:
        """The bytes of its module, made at first use."""
        said = self._said
        if "hex" in said:
            return bytes.fromhex(_repeated(said["hex"]))
        if "wat" in said:
            return bytes(wasmtime.wat2wasm(_whole(_repeated(said["wat"]))))
        answer = bytes.fromhex(_repeated(said["raw"])) if "raw" in said else _packed(said["output"], said["times"])
        return bytes(wasmtime.wat2wasm(_answering(answer)))


def kinds() -> list[Kind]:
    """Return the whole corpus, in the order of its files."""
    return [kind for path in sorted(FOLDER.glob("*.toml")) for kind in _of(path)]


def _of(path: Path) -> Iterator[Kind]:
    for said in tomllib.loads(path.read_text(encoding="utf-8"))["kind"]:
        said.setdefault("times", 1)
        encodings = ("msgpack",) if "raw" in said or "output" in said else _BOTH_ENCODINGS
        yield Kind(
            said["name"],
            path.stem,
            frozenset(said["meets"]),
            tuple(Encoding(e) for e in said.get("encodings", encodings)),
            tuple(said.get("lanes", _BOTH_LANES)),
            Limits(**said.get("limits", {})),
            said.get("apart", False),
            said,
        )


def _repeated(text: str) -> str:
    """Write out what stands for a text so many times, from the inside."""
    while _REPEATED.search(text):
        text = _REPEATED.sub(lambda found: found[2] * int(found[1]), text)
    return text


def _whole(wat: str) -> str:
    """Return a module: what is missing of a memory, an alloc and a handler is added."""
    if wat.startswith(("(module", "(component")):
        return wat
    parts = (_MEMORY, '"memory"'), (_ALLOC, '"caxton_alloc"'), (_HANDLE, '"handle_message"')
    added = " ".join(part for part, name in parts if f"(export {name})" not in wat)
    imports, others = _imports_first(wat)
    return f"(module {imports} {added} {others})"


def _imports_first(wat: str) -> tuple[str, str]:
    """Split a text where its leading imports end: nothing else may stand before an import."""
    depth = end = 0
    for place, character in enumerate(wat):
        depth += (character == "(") - (character == ")")
        if depth == 0 and character == ")":
            if not wat[end:].lstrip().startswith("(import"):
                break
            end = place + 1
    return wat[:end], wat[end:]


def _answering(answer: bytes) -> str:
    """Return a module whose every answer is these bytes."""
    pages = 2 + (_ANSWER_AT + len(answer) >> 16)
    data = "".join(f"\\{byte:02x}" for byte in answer)
    alloc = f"(i32.const {(pages - 1) << 16})"
    return f"""(module (memory (export "memory") {pages}) (data (i32.const {_ANSWER_AT}) "{data}")
      (func (export "caxton_alloc") (param i32) (result i32) {alloc})
      (func (export "handle_message") (param i32 i32) (result i64) (i64.const {_ANSWER_AT << 32 | len(answer)})))"""


def _packed(output: dict[str, Any], times: int) -> bytes:
    """Return an output as msgpack, with its messages so many times."""
    value = _values(output)
    if isinstance(value.get("messages"), list):
        value["messages"] *= times
    return _encode(value)


def _values(value: Any) -> Any:
    """Return a value of the corpus's files as it is meant: bytes, numbers beyond TOML's, and many of one kind."""
    if isinstance(value, dict):
        return {key: _values(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [some for inner in value for some in _each(inner)]
    if isinstance(value, str) and value.startswith("b:"):
        return bytes.fromhex(_repeated(value[2:]))
    if isinstance(value, str) and value.startswith("u:"):
        return int(value[2:])
    return NAME if value == "@self" else _repeated(value) if isinstance(value, str) else value


def _each(value: Any) -> list[Any]:
    """`x:255 nobody` is a message to each of nobody 0, nobody 1 and so on; `x:255 @self` as many to itself."""
    many = _MANY.fullmatch(value) if isinstance(value, str) else None
    if many is None:
        return [_values(value)]
    to_itself = many[2] == "@self"
    return [{"receiver": NAME if to_itself else f"{many[2]} {n}"} for n in range(int(many[1]))]
