"""Deployments that are refused: each with a typed error, and nothing of it remains."""

import asyncio
import re
import time
import traceback
from array import array
from hashlib import sha256
from pathlib import Path

import pytest

import caxton.guests
from caxton.agents.deployment import Deployment
from caxton.agents.limits import MAX_MODULE, Limits
from caxton.errors import AgentAlreadyRegistered, InvalidModule, Unsupported, ValidationError

ECHO = Path(caxton.guests.__file__).parent / "echo.wasm"
# 100,000 empty loops in one function: 300 KB of wasm that take the compiler far longer than its 3 s.
LOOPS = 100_000

EXPORTS_NOTHING = "(module)"
NO_HANDLER = """(module (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 0)))"""
MISTYPED = """(module (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i64) (result i32) (i32.const 0))
  (func (export "handle_message") (param i32 i32) (result i32) (i32.const 0)))"""
NO_MEMORY = """(module (func (export "memory"))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 0))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))"""
WITH_IMPORTS = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "env" "now" (func (result i64)))
  (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 0))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))"""
LARGE_MEMORY = """(module (memory (export "memory") 100)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 0))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))"""


def varint(number):
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def section(number, *items):
    content = varint(len(items)) + b"".join(items)
    return bytes([number]) + varint(len(content)) + content


@pytest.fixture(scope="module")
def bomb():
    body = b"\0" + b"\x03\x40\x0b" * LOOPS + b"\x0b"
    code = varint(len(body)) + body
    return b"\0asm\1\0\0\0" + section(1, b"\x60\0\0") + section(3, b"\0") + section(10, code)


@pytest.fixture
async def remains(client, served):
    """Deploys what is refused, proves that nothing of it is left, and returns the error."""

    async def refused(wasm, name="suspect", kind=InvalidModule, **options):
        with pytest.raises(kind) as caught:
            await client.deploy(name, wasm, **options)
        assert name not in [view.name for view in await client.agents()]
        if isinstance(wasm, bytes) and kind is InvalidModule:
            assert list((served.data_dir / "modules").glob(f"{sha256(wasm).hexdigest()}*")) == []
        if kind is InvalidModule:
            assert caught.value.agent == name
            await client.deploy(name, ECHO)  # the name is free
            assert (await client.request(name, b"still free")).content == b"still free"
            await client.remove(name)
        return caught.value

    return refused


async def test_what_is_not_wasm_is_refused(remains):
    """Bytes without the magic of wasm are refused, and the error says so."""
    error = await remains(bytes(range(256)))

    assert "not a wasm binary" in error.problem


async def test_nothing_at_all_is_refused(remains):
    """An empty file is no module."""
    error = await remains(b"")

    assert "not a wasm binary" in error.problem


async def test_text_is_refused(remains):
    """A module as text is refused, and the error says what assembles it."""
    error = await remains((Path(__file__).parents[2] / "guests" / "echo.wat").read_bytes())

    assert "it is text: assemble it first, with wat2wasm" in error.problem


@pytest.mark.parametrize("kept", [4, 7, 8, 60, -1])
async def test_a_truncated_module_is_refused(remains, kept):
    """A module that ends too early is refused, wherever it was cut."""
    error = await remains(ECHO.read_bytes()[:kept])

    assert "truncated" in error.problem or "compile" in error.problem or "does not export" in error.problem


async def test_a_component_is_refused(remains):
    """A component is not a core module, and the error says which of them it is."""
    error = await remains(b"\0asm\x0d\0\1\0")

    assert "component" in error.problem


async def test_an_error_keeps_no_module(client, tmp_path):
    """However many modules are refused, and however long somebody has the errors: they are not in memory with them."""
    path = tmp_path / "none.wasm"
    path.write_bytes(b"no module, and never one")
    (error,) = await client.deploy_many([Deployment("none", path)])
    locals_of = [frame.f_locals.values() for frame, _ in traceback.walk_tb(error.__traceback__)]

    assert isinstance(error, InvalidModule)
    assert not any(path.read_bytes() in values for values in locals_of)


@pytest.mark.parametrize("as_path", [False, True])
async def test_a_module_that_is_too_large_is_refused(remains, client, tmp_path, monkeypatch, as_path):
    """A module beyond 64 MiB is refused by the client, before one byte of it is uploaded."""
    asked = []
    ask = client._runtime.ask

    async def count(request, *about):
        asked.append(request)
        return await ask(request, *about)

    monkeypatch.setattr(client._runtime, "ask", count)
    large = tmp_path / "large.wasm"
    with large.open("wb") as file:
        file.truncate(MAX_MODULE + 1)

    with pytest.raises(InvalidModule) as caught:
        await client.deploy("large", large if as_path else large.read_bytes())

    assert asked == []
    assert str(MAX_MODULE) in caught.value.problem.replace(",", "")
    assert [view.name for view in await client.agents()] == []


async def test_a_file_that_is_not_there_is_refused(remains, tmp_path):
    """A path that leads nowhere is refused with the path."""
    error = await remains(tmp_path / "nowhere.wasm")

    assert str(tmp_path / "nowhere.wasm") in error.problem


async def test_unknown_imports_are_refused_and_listed(remains, wasm):
    """A module that imports what there is not is refused, and the error lists each of these imports."""
    error = await remains(wasm(WITH_IMPORTS))

    assert set(error.names) == {"wasi_snapshot_preview1.fd_write", "env.now"}


async def test_missing_exports_are_refused_and_named(remains, wasm):
    """A module that lacks exports is refused, and the error names every one of them."""
    assert set((await remains(wasm(EXPORTS_NOTHING))).names) == {"memory", "caxton_alloc", "handle_message"}
    assert (await remains(wasm(NO_HANDLER))).names == ("handle_message",)


async def test_mistyped_exports_are_refused_and_named(remains, wasm):
    """A module whose exports have the wrong types is refused, and the error names them."""
    assert set((await remains(wasm(MISTYPED))).names) == {"caxton_alloc", "handle_message"}
    assert (await remains(wasm(NO_MEMORY))).names == ("memory",)


async def test_a_name_that_looks_like_another_is_that_one_or_none(client, agent):
    """However a letter with its mark is written, it names one agent; what would pass for another's name is none."""
    composed = await agent("mischief", "\u00e9cho")

    assert client.id_of("e\u0301cho") == composed
    with pytest.raises(AgentAlreadyRegistered):
        await client.deploy("e\u0301cho", ECHO)
    for name, why in (("\u00e9cho ", "blanks"), ("caxton:\u00e9cho", "reserved")):
        with pytest.raises(ValidationError, match=why):
            await client.deploy(name, ECHO)
        with pytest.raises(ValidationError, match=why):
            client.attach(name, print)


async def test_a_memory_beyond_the_limit_is_refused(remains, wasm):
    """A module whose memory starts beyond the agent's limit is refused with both numbers."""
    error = await remains(wasm(LARGE_MEMORY), limits=Limits(max_memory_bytes=1 << 20))

    assert str(100 * 65536) in error.problem
    assert str(1 << 20) in error.problem


async def test_a_memory_is_judged_by_the_limits_of_each_agent(client, agent, wasm):
    """A module that one agent's limits allow is refused to another whose limits do not, although it is cached."""
    module = LARGE_MEMORY.replace("100", "101")  # another one than that of which another test says that nothing is left
    await agent(module, "wide")

    with pytest.raises(InvalidModule):
        await client.deploy("narrow", wasm(module), limits=Limits(max_memory_bytes=1 << 20))


async def test_a_compile_bomb_is_refused_and_nothing_else_slows_down(remains, client, agent, served, wasm, bomb):
    """A module beyond the compiler's limits is refused; meanwhile requests are answered, and the next one waits."""
    await agent("mischief", "busy")
    slowest_s, answered, began_s = 0.0, 0, time.monotonic()
    async with served.connect() as other, asyncio.TaskGroup() as tasks:
        refusal = tasks.create_task(remains(bomb))
        following = tasks.create_task(other.deploy("following", wasm("faults")))
        while not refusal.done():
            asked_s = time.monotonic()
            await client.request("busy", b"", timeout_s=20)
            slowest_s = max(slowest_s, time.monotonic() - asked_s)
            answered += 1
        took_s = time.monotonic() - began_s

    # Which of the limits it meets first depends on the machine.
    assert re.search("more than (3 s of processor time|1024 MiB of memory)|took too long", refusal.result().problem)
    assert answered > 10
    assert slowest_s < took_s / 2
    await client.remove(following.result())


async def test_a_name_already_taken_is_refused(client, agent, wasm):
    """A name that is taken is refused, and its agent goes on as it was."""
    await agent("mischief", "taken")
    await client.request("taken", b"")

    with pytest.raises(AgentAlreadyRegistered) as caught:
        await client.deploy("taken", wasm("echo"))

    assert caught.value.agent == "taken"
    assert (await client.request("taken", b"")).content == (2).to_bytes(8, "little")


async def test_a_name_is_taken_once_when_many_want_it_at_once(client, served, agent, wasm):
    """Of many deployments of one name at once, by two clients, exactly one succeeds, and the others say why not."""
    await agent("echo", "another, so that the module is known")
    async with served.connect() as other:
        wanted = [(client if n % 2 else other).deploy("wanted", wasm("echo")) for n in range(20)]
        results = await asyncio.gather(*wanted, return_exceptions=True)

    refused = [result for result in results if isinstance(result, AgentAlreadyRegistered)]
    assert len(refused) == 19
    await client.remove("wanted")


async def test_large_modules_are_uploaded_by_many_at_once(client, served, wasm):
    """Modules of several pieces that one client, and another, deploy at once do not get into each other's way."""
    large = [wasm("echo") + section(0, bytes(9_000_000 + n)) for n in range(2)]

    async with served.connect() as other:
        wanted = [(each, module) for module in large for each in (client, other)]
        deployed = await asyncio.gather(*[each.deploy(f"large {n}", module) for n, (each, module) in enumerate(wanted)])

    for agent_id in deployed:
        assert (await client.request(agent_id, b"large")).content == b"large"
    await client.remove_many(deployed)


async def test_names_and_encodings_that_cannot_be_are_refused(remains):
    """A name that is empty, long or does not print is refused, and so is an encoding that there is not."""
    for name in ("", "x" * 201, "two\nlines", "\ud800"):
        assert (await remains(ECHO, name, ValidationError)).field == "name"
    assert (await remains(ECHO, "odd", ValidationError, encoding="xml")).field == "encoding"
    assert "json" in (await remains(ECHO, "odd", Unsupported, encoding="json")).feature


@pytest.mark.parametrize(
    "kind",
    [
        str,
        Path,
        Path.read_bytes,
        lambda path: bytearray(path.read_bytes()),
        lambda path: memoryview(path.read_bytes()),
        lambda path: array("B", path.read_bytes()),
    ],
)
async def test_a_module_is_a_path_its_text_or_its_bytes(client, kind):
    """Whatever names a module or holds it deploys it."""
    agent_id = await client.deploy("a module", kind(ECHO))
    assert (await client.request(agent_id, b"hello")).content == b"hello"
    await client.remove(agent_id)


@pytest.mark.parametrize("path", ["/", "nowhere.wasm", "a\0b"], ids=ascii)
async def test_a_path_that_names_no_module_says_so(client, path):
    """Whatever a path leads to, the error has the path and why."""
    with pytest.raises(InvalidModule, match=re.escape(path)):
        await client.deploy("nothing", path)


async def test_deployments_may_come_from_any_iterable(client):
    """A generator is as good as a list, and what is no deployment has its error in its place."""
    mixed = [
        Deployment("one", ECHO),
        ("two", ECHO),
        Deployment("three", None),
        Deployment("four", ECHO, capabilities=5),
    ]
    agent_id, *refused = await client.deploy_many(deployment for deployment in mixed)
    assert [type(error) for error in refused] == [ValidationError] * 3
    await client.remove(agent_id)
    with pytest.raises(ValidationError, match="a list of Deployment is wanted"):
        await client.deploy_many(Deployment("one", ECHO))
