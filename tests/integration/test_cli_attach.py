"""`caxton attach`: a program that is nothing but agents, started, changed and ended from a shell."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

import caxton
from caxton.client.own_runtime import own_runtime
from caxton.errors import AgentTakenOver, HandlerFailed
from caxton.testing import eventually

CAXTON = [sys.executable, "-P", "-m", "caxton"]
SHOP = """
import caxton

@caxton.agent("shouter")
def shout(message):
    return message.content.upper() + b"{}"

@caxton.agent("picky")
def refuse(message):
    raise ValueError(message.content.decode())

@caxton.agent("mute")
class Mute:
    async def on_inform(self, message):
        return None
"""


@pytest.fixture(scope="module")
def runtime():
    with own_runtime(1) as directory:
        yield directory


@pytest.fixture
def attach(runtime, tmp_path):
    """Start the command in a directory with a module of two agents."""
    (tmp_path / "shop.py").write_text(SHOP.format("!"), encoding="utf-8")
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [*CAXTON, "attach", *arguments],
            cwd=tmp_path,
            env=os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has started holds its pipes
        process.communicate(timeout=60)
    asyncio.run(until_nobody_is_attached(runtime))


async def until_nobody_is_attached(runtime):
    """Wait until it is noticed that the programs of a test are gone: the next test's are to have their agents."""
    async with caxton.connect(runtime) as client:

        async def nobody():
            return all(agent.state != "attached" for agent in await client.agents())

        await eventually(nobody)


def asked(runtime, content, agent="shouter"):
    async def ask():
        async with caxton.connect(runtime) as client:
            return (await client.request(agent, content, timeout_s=30)).content

    return asyncio.run(ask())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(attach, runtime, number):
    """The agents of a module are attached and answer, and a signal ends the program with exit code 0."""
    process = attach("shop", "-o", "json")
    told = json.loads(process.stdout.readline())
    assert (told["event"], told["agents"], told["pid"]) == ("attached", ["shouter", "picky", "mute"], process.pid)
    assert asked(runtime, b"a") == b"A!"
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_what_a_handler_fails_on_controls_no_terminal(attach, runtime):
    """A traceback has a client's text in it: its escapes and line ends are shown as such."""
    process = attach("shop:refuse", "-o", "json")
    assert json.loads(process.stdout.readline())["event"] == "attached"
    with pytest.raises(HandlerFailed):
        asked(runtime, "\x1b[2Jgone\u202e".encode(), "picky")
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert "ValueError: \\x1b[2Jgone\\u202e\n" in told
    assert [c for c in told if not c.isprintable() and c != "\n"] == []


def test_one_agent_for_people(attach, runtime):
    """One agent of a module can be named; a second program that takes it over ends the first with an error."""
    first = attach("shop:shout")
    assert first.stdout.readline() == "attached shouter; Ctrl-C ends\n"
    second = attach("shop:shout", "--replace")
    assert second.stdout.readline() == "attached shouter; Ctrl-C ends\n"
    assert asked(runtime, b"b") == b"B!"
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "was taken over by another program" in errors
    assert AgentTakenOver.__name__ not in errors  # an error for people, and no traceback


def test_it_starts_anew_when_its_files_change(attach, runtime, tmp_path):
    """With --reload the next answer is that of the changed file, also of one that was written in the same second."""
    # A program that another test has killed may have the agents yet, and what cannot start waits for the next change.
    process = attach("shop", "--reload", "--replace")
    assert process.stdout.readline().startswith("attached")
    assert asked(runtime, b"a") == b"A!"
    first = (tmp_path / "shop.py").stat()
    (tmp_path / "shop.py").write_text("no Python", encoding="utf-8")
    assert process.stdout.readline() == "shop.py changed: starting anew\n"
    while "SyntaxError" not in process.stderr.readline():
        pass
    (tmp_path / "shop.py").write_text(SHOP.format("?"), encoding="utf-8")
    os.utime(tmp_path / "shop.py", ns=(first.st_atime_ns, first.st_mtime_ns))
    assert process.stdout.readline() == "shop.py changed: starting anew\n"
    assert process.stdout.readline().startswith("attached")
    assert asked(runtime, b"a") == b"A?"
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_what_names_no_agent_is_told(attach):
    """A name that means nothing ends the command with exit code 1 and what to do; JSON where that was asked for."""
    process = attach("shop:shot", "-o", "json")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is shop:shout meant?" in json.loads(errors)["message"]


def test_several_are_a_group(attach, runtime):
    """With --group a second program shares the agents; without, it is told of the group, and how to take over."""
    programs = [attach("shop:shout", "--group") for _ in range(2)]
    for process in programs:
        assert process.stdout.readline() == "attached shouter; Ctrl-C ends\n"
    inspected = subprocess.run(
        [*CAXTON, "agent", "inspect", "shouter"],
        env=os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert inspected.stdout.count(" 0 under way\n") == 2
    alone = attach("shop:shout")
    _, errors = alone.communicate(timeout=60)
    assert (alone.returncode, "a group of programs shares it, 2 now" in errors, "--replace" in errors) == (
        1,
        True,
        False,
    )
    assert asked(runtime, b"c") == b"C!"
