"""Programs without a loop: `caxton.connect_sync` in scripts, threads, notebooks, and at every kind of end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

import caxton
from caxton.errors import AgentFailure, AgentNotFound, AgentTakenOver, ConfigurationError, RuntimeNotFound, Timeout

# Each is given the runtime's directory.
UNCLOSED = """
import sys, warnings
import caxton
warnings.simplefilter("error", RuntimeWarning)
client = caxton.connect_sync(sys.argv[1])
print(client.health().status)
"""
COLLECTED = """
import gc, sys, threading, warnings
import caxton
client = caxton.connect_sync(sys.argv[1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    del client
    gc.collect()
print([one.category.__name__ for one in caught], threading.active_count())
"""
FORKS = """
import json, multiprocessing, sys
import caxton

def tried(call):
    try:
        return call()
    except caxton.errors.CaxtonError as error:
        return f"{type(error).__name__}: {error}"

def child(client, answers):
    told = [tried(lambda: client.health()), tried(lambda: client.id_of(5))]
    client.close()
    with caxton.connect_sync(sys.argv[1]) as anew:
        told.append(anew.health().status)
    answers.put(told)

context = multiprocessing.get_context("fork")
answers = context.Queue()
with caxton.connect_sync(sys.argv[1]) as client:
    process = context.Process(target=child, args=(client, answers))
    process.start()
    told = answers.get(timeout=60)
    process.join(60)
    print(json.dumps([*told, client.health().status, process.exitcode]))
"""
WAITS = """
import sys
import caxton
with caxton.connect_sync(sys.argv[1]) as client, client.attach("waiter", lambda _: None) as agent:
    try:
        print("attached", flush=True)
        agent.wait()
    finally:
        print(agent.is_detached, flush=True)
"""


@pytest.fixture
def sync_client(served):
    with caxton.connect_sync(served.runtime_dir) as client:
        yield client


@pytest.fixture
def script(served):
    """Run a program as a process of its own; what it printed, and what it wrote on stderr."""

    def run(text, *options):
        done = subprocess.run(
            [sys.executable, *options, "-c", text, str(served.runtime_dir)],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    return run


async def loud(delivered):
    return delivered.message.content.upper()


def test_a_script_deploys_sends_and_asks(sync_client, wasm):
    """What a program does with a loop it does without one, errors included."""
    echo = sync_client.deploy("sync echo", wasm("echo"))

    assert sync_client.request(echo, b"hello").content == b"hello"
    assert sync_client.send("sync echo", b"hello").lane is caxton.Lane.DURABLE
    receipts = sync_client.send_batch(caxton.Message(echo, b"%d" % n) for n in range(300))
    assert {type(receipt) for receipt in receipts} == {caxton.Receipt}
    listing = sync_client.agents(name="sync *")
    assert [agent.name for agent in listing] == ["sync echo"]
    assert listing.total >= 1
    with pytest.raises(AgentNotFound, match="nobody"):
        sync_client.send("nobody", b"")
    sync_client.remove(echo)
    assert [letter.reason for letter in sync_client.dead_letters(agent=echo)] == []


def test_threads_share_a_client(sync_client):
    """Calls of several threads go side by side, and each gets its own answer."""
    answers = {}

    with sync_client.attach("shared", loud):

        def ask(number):
            answers[number] = sync_client.request("shared", b"a%d" % number).content

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert answers == {number: b"A%d" % number for number in range(8)}


async def test_a_notebook_whose_loop_runs_uses_it(served):
    """Where a loop runs already the call waits as any other function does."""
    with caxton.connect_sync(served.runtime_dir) as client:
        assert client.health().status in {"healthy", "degraded"}


def test_a_plain_handler_may_use_the_client_itself(sync_client):
    """A handler without `async` runs in a thread, from which the client can be asked; what it raises is a failure."""

    def relay(delivered):
        if not delivered.message.content:
            raise ValueError("nothing to relay")
        return sync_client.request("loud", delivered.message.content).content + b"!"

    with sync_client.attach("loud", loud), sync_client.attach("relay", relay, concurrency=4) as agent:
        assert sync_client.request("relay", b"hey").content == b"HEY!"
        with pytest.raises(AgentFailure):
            sync_client.request("relay", b"")
        assert agent.counts["handled"] == 1
        assert not agent.is_detached
    assert agent.is_detached


def test_a_block_that_another_takes_over_says_so_at_its_end(served, sync_client):
    """An agent that another program attaches ends the waiting, and leaving its block raises why."""
    with (
        caxton.connect_sync(served.runtime_dir) as other,
        pytest.raises(AgentTakenOver),
        sync_client.attach("taken", loud) as agent,
        other.attach("taken", loud, replace=True),
    ):
        agent.wait()


def test_agents_of_a_program_are_hosted(sync_client):
    """Functions and classes are agents without a loop as with one."""

    @sync_client.agent("plain")
    def plain(message):
        return message.content[::-1]

    with sync_client.host() as hosting:
        assert list(hosting.agents) == ["plain"]
        assert sync_client.request("plain", b"abc").content == b"cba"


def test_a_subscription_is_iterated_and_cancelled(sync_client):
    """What an agent tells comes in a `for`; leaving the block cancels."""
    cancelled = threading.Event()

    def tell(delivered):
        message = delivered.message
        if message.performative is caxton.Performative.CANCEL:
            cancelled.set()
            return None
        return [message.reply(b"%d" % n, performative="inform") for n in range(3)]

    with sync_client.attach("ticker", tell):
        with sync_client.subscribe("ticker") as news:
            assert [next(news).content for _ in range(3)] == [b"0", b"1", b"2"]
            assert news.last_word is None
        assert cancelled.wait(60)


def test_the_inbox_is_iterated_and_waited_for(sync_client):
    """What nobody asked for comes to the inbox; waiting has an end when one is given."""
    inbox = sync_client.inbox()
    with pytest.raises(Timeout):
        inbox.next(0)

    def answer(delivered):
        return [caxton.Message(delivered.message.sender, b"for you")]

    with sync_client.attach("caller", answer):
        sync_client.send("caller", b"")
        assert next(inbox).content == b"for you"
    assert len(inbox) == 0


def test_after_the_end_every_call_says_so(served):
    """A client that was closed is not entered again, and takes no calls; one that finds no runtime is not made."""
    client = caxton.connect_sync(served.runtime_dir)
    inbox = client.inbox()
    client.close()
    client.close()

    for call in (client.health, client.__enter__, lambda: client.id_of(5), lambda: next(inbox), inbox.close):
        with pytest.raises(ConfigurationError, match="it was closed"):
            call()
    with pytest.raises(RuntimeNotFound):
        caxton.connect_sync(served.runtime_dir.parent / "nowhere")


def test_closing_ends_what_waits_in_another_thread(served):
    """Who waits for a message in one thread is told when another closes the client."""
    client = caxton.connect_sync(served.runtime_dir)
    inbox, found, begun = client.inbox(), [], threading.Event()

    def wait():
        begun.set()
        found.extend(inbox)

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(60)
    client.close()
    thread.join(60)

    assert not thread.is_alive()


def test_a_client_that_nobody_closed_is_told_of_and_ends(script):
    """At the interpreter's end, and when it is collected: a ResourceWarning, and nothing else is left or said."""
    said, told = script(UNCLOSED, "-W", "default::ResourceWarning")
    assert said in {"healthy", "degraded"}
    assert "ResourceWarning: a client was never closed; use `with caxton.connect_sync()`" in told
    assert len(told.splitlines()) <= 2

    assert script(UNCLOSED)[1] == ""
    assert script(COLLECTED) == ("['ResourceWarning'] 1", "")


def test_a_forked_child_leaves_the_client_to_its_parent(script):
    """In the child it says that it is the parent's; another one can be had there, and the parent goes on."""
    said, told = script(FORKS)
    health, meant, anew, parent, code = json.loads(said)

    assert "forked" in health
    assert "forked" in meant
    assert anew == parent
    assert code == 0
    assert told == ""


async def test_ctrl_c_leaves_cleanly(served):
    """A program that waits for its agent ends by Ctrl-C: its blocks are left, in order."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WAITS, str(served.runtime_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(100):
        assert await program.stdout.readline() == b"attached\n"
        os.kill(program.pid, signal.SIGINT)
        said, told = await program.communicate()

    assert said == b"False\n"
    assert told.rstrip().endswith(b"KeyboardInterrupt")
    with caxton.connect_sync(served.runtime_dir) as client:
        assert client.inspect("waiter").state == "detached"


def test_a_plain_handler_that_would_wait_for_itself_is_told_so(sync_client):
    """What a handler without a loop asks knows its cause, as with one: an agent that asks itself is refused at once."""
    told = []

    def ask_itself(delivered):
        try:
            sync_client.request("selfish", b"again", timeout_s=60)
        except caxton.errors.CaxtonError as error:
            told.append(type(error).__name__)
        return b"done"

    with sync_client.attach("selfish", ask_itself, concurrency=1):
        assert sync_client.request("selfish", b"first", timeout_s=100).content == b"done"

    assert told == ["Deadlock"]
