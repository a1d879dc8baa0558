import asyncio
import sys

import pytest

from caxton.agents.limits import DEFAULT_LIMITS
from caxton.errors import InvalidModule, ResourceExhausted, Timeout
from caxton.supervisor.compiler.host import MAX_WAITING, CompilerHost
from caxton.supervisor.compiler.process import COMPILER_COMMAND

# A compiler that does as its module says: the engine's id, then one job.
PROGRAM = """
import os, sys, time
from caxton.errors import InvalidModule
from caxton.wire.compile_job import *
write_frame(sys.stdout.buffer, COMPILER_REPLY.encode(CompilerReady("00ff")))
job = COMPILE_JOB.decode(read_frame(sys.stdin.buffer, MAX_JOB_BYTES))
word = job.wasm.decode()
if word == "abort":
    os.abort()
if word == "cpu":
    os.kill(os.getpid(), 24)
if word == "linger":
    time.sleep(60)
if word == "babble":
    sys.stdout.buffer.write(bytes([255] * 100))
    sys.exit()
if word == "early":
    sys.exit()
reply = CompileRefused.of(InvalidModule(job.agent, "says no")) if word == "refuse" else Compiled(job.wasm * 2)
write_frame(sys.stdout.buffer, COMPILER_REPLY.encode(reply))
"""


@pytest.fixture
async def host_of():
    """Run compilers of this command in the background."""
    running = []

    def run(command):
        deaths = []
        host = CompilerHost(command, deaths.append)
        host.deaths = deaths
        running.append(asyncio.get_running_loop().create_task(host.run()))
        return host

    yield run
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
async def host(host_of):
    return host_of((sys.executable, "-P", "-c", PROGRAM))


async def test_modules_are_compiled_one_after_the_other(host):
    """Several at once all get their own artifact, each from a compiler of its own."""
    artifacts = await asyncio.gather(*(host.compile("agent", DEFAULT_LIMITS, b"m%d" % n) for n in range(3)))

    assert artifacts == [b"m0m0", b"m1m1", b"m2m2"]
    assert (host.problem, host.is_starting) == (None, False)
    assert await host.engine_id() == "00ff"
    assert (host.compiled, host.refused, host.deaths) == (3, 0, [])
    assert host.compile_s > 0


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        (b"refuse", "says no"),
        (b"abort", "1024 MiB of memory"),
        (b"cpu", "3 s of processor time"),
        (b"early", "exit 0"),
    ],
)
async def test_a_module_that_cannot_be_compiled_is_refused(host, word, problem):
    """A refusal, and a death under the limits, is an InvalidModule that says why; the next module is compiled."""
    with pytest.raises(InvalidModule, match=problem) as refusal:
        await host.compile("counter", DEFAULT_LIMITS, word)

    assert refusal.value.agent == "counter"
    assert await host.compile("agent", DEFAULT_LIMITS, b"fine") == b"finefine"
    assert (host.compiled, host.refused, host.deaths) == (1, 1, [])


async def test_a_compilation_that_takes_too_long_is_killed(host, monkeypatch):
    """Beyond the wall limit the compiler is killed, the module is refused, and the next one is compiled."""
    monkeypatch.setattr("caxton.supervisor.compiler.process.COMPILE_WALL_S", 0.3)

    with pytest.raises(InvalidModule, match="took too long"):
        await host.compile("agent", DEFAULT_LIMITS, b"linger")

    monkeypatch.undo()
    assert await host.compile("agent", DEFAULT_LIMITS, b"fine") == b"finefine"


async def test_a_compiler_that_babbles_is_refused(host):
    """An answer that is no frame ends in a typed error, and not in reading for ever."""
    with pytest.raises(InvalidModule, match="spoke out of turn"):
        await host.compile("agent", DEFAULT_LIMITS, b"babble")

    assert await host.compile("agent", DEFAULT_LIMITS, b"fine") == b"finefine"


async def test_modules_that_wait_are_bounded(host_of, monkeypatch, one_turn_of_the_loop):
    """Beyond the bound a module is refused at once; those that wait give up at their deadline."""
    monkeypatch.setattr("caxton.supervisor.compiler.host.WAIT_S", 0.5)
    host = host_of((sys.executable, "-S", "-c", "import sys; sys.stdin.read()"))
    waiting = [
        asyncio.get_running_loop().create_task(host.compile("agent", DEFAULT_LIMITS, b"m")) for _ in range(MAX_WAITING)
    ]
    await one_turn_of_the_loop()

    (refused,) = await asyncio.gather(host.compile("agent", DEFAULT_LIMITS, b"m"), return_exceptions=True)
    assert "wait to be compiled" in str(refused)
    assert type(refused) is ResourceExhausted
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {Timeout}


@pytest.mark.parametrize("command", [(sys.executable, "-S", "-c", "raise SystemExit(4)"), ("/nonexistent/compiler",)])
async def test_a_compiler_that_never_gets_ready_is_a_problem(host_of, monkeypatch, command):
    """A compiler that dies at its start is told, is tried again more and more slowly, and shows in the health."""
    monkeypatch.setattr("caxton.supervisor.compiler.host.START_TIMEOUT_S", 0.5)
    host = host_of(command)
    assert (host.problem, host.is_starting) == ("the compiler starts", True)

    with pytest.raises(Timeout, match="starting the compiler"):
        await host.engine_id()

    assert 2 <= len(host.deaths) <= 5
    assert (host.problem, host.is_starting) == ("no compiler is ready", False)


async def test_the_compiler_of_the_house_speaks_the_same_language(host_of):
    """The real compiler gets ready and answers a module that is no wasm with an InvalidModule."""
    host = host_of(COMPILER_COMMAND)

    assert len(await host.engine_id()) > 0
    with pytest.raises(InvalidModule):
        await host.compile("agent", DEFAULT_LIMITS, b"not wasm")


async def test_who_has_many_modules_waiting_gives_one_up(host_of, monkeypatch, one_turn_of_the_loop):
    """When all places are one process's, its last module is refused for another process's first."""
    monkeypatch.setattr("caxton.supervisor.compiler.host.WAIT_S", 0.5)
    host = host_of((sys.executable, "-S", "-c", "import sys; sys.stdin.read()"))
    loop = asyncio.get_running_loop()
    many = [loop.create_task(host.compile("many", DEFAULT_LIMITS, b"m", 1)) for _ in range(MAX_WAITING)]
    await one_turn_of_the_loop()
    one = loop.create_task(host.compile("one", DEFAULT_LIMITS, b"m", 2))

    results = await asyncio.gather(*many, one, return_exceptions=True)
    assert [type(result) for result in results] == [Timeout] * (MAX_WAITING - 1) + [ResourceExhausted, Timeout]
