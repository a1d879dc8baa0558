"""Messages to capabilities in a running runtime of two workers."""

import asyncio
import functools
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner
from wasmtime import wat2wasm

import caxton
import caxton.guests
import caxton.testing
from caxton import Capability, DeliveryOptions, Everyone
from caxton.capabilities.publication import MOST_OF_SUBSCRIBER
from caxton.cli.main import app
from caxton.errors import NetworkError, NoCapableAgents, ResourceExhausted, ValidationError
from caxton.testing import eventually

ECHO = Path(caxton.guests.__file__).parent / "echo.wasm"
HOLD_S = 10.0
# A guest that returns what is written into it, whatever it is asked.
ANNOUNCE = """(module
  (memory (export "memory") 2)
  (data (i32.const 8) "{0}")
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.const 8) (i64.const 32)) (i64.const {1}))))"""


@pytest.fixture(scope="module")
def served():
    with caxton.testing.runtime(workers=2) as runtime:
        yield runtime


@pytest.fixture
async def client(served):
    async with served.connect() as client:
        yield client
    async with served.connect() as after:  # it knows which workers there are now
        await after.remove_many(await after.agents())


@pytest.fixture
def deployed(client):
    """A function that deploys echo agents with a capability, so many that both workers have some."""

    async def deploy(capability, count=8):
        made = [caxton.Deployment(f"{capability} {n}", ECHO, capabilities=[capability]) for n in range(count)]
        return await client.deploy_many(made)

    return deploy


async def test_one_agent_answers(client, deployed):
    """It is one of those that have the capability, on either lane, on its own and among many."""
    agents = await deployed("talk")
    reply = await client.request(Capability("talk"), b"hello")
    receipt = await client.send(Capability("talk"), b"hello")
    replies = await client.request_many(
        [caxton.Message(Capability("talk", balancing="round_robin"), b"%d" % n) for n in range(64)]
    )

    assert (reply.content, reply.sender in agents) == (b"hello", True)
    assert (receipt.agent in agents, receipt.tried) == (True, ())
    assert [reply.content for reply in replies] == [b"%d" % n for n in range(64)]
    assert {reply.sender for reply in replies} == set(agents)


async def test_messages_to_names_and_to_capabilities_go_in_one_batch(client, deployed):
    """Each has its result in its place."""
    agents = await deployed("talk", 2)
    to = [agents[0], Capability("talk"), agents[1], Capability("nobody can")]
    results = await client.send_batch([caxton.Message(one, b"x") for one in to])

    assert [type(result).__name__ for result in results] == ["Receipt"] * 3 + ["NoCapableAgents"]


async def test_everyone_is_sent_one(client, deployed):
    """Within a bound; nobody is an error."""
    agents = await deployed("talk", 5)
    results = await client.send(Everyone("talk"), b"hello")

    assert len(results) == len(agents)
    assert all(isinstance(result, caxton.Receipt) for result in results)
    with pytest.raises(ResourceExhausted, match="4"):
        await client.send(Everyone("talk", most=4), b"hello")
    with pytest.raises(NoCapableAgents):
        await client.send(Everyone("nobody can"), b"hello")


async def test_a_guest_sends_to_everyone(client, deployed):
    """On both workers, on either lane, at its first turn and later: one for each, but for itself."""
    output = msgspec.msgpack.encode({"messages": [{"capability": "hear", "everyone": True, "content": b"news"}]})
    guest = wat2wasm(ANNOUNCE.format("".join(f"\\{byte:02x}" for byte in output), len(output)))
    able = await deployed("hear")
    announcer = await client.deploy("announce", guest, encoding="msgpack", capabilities=["hear"])

    async def ran():
        return [(await client.inspect(agent)).counters["run"] for agent in able]

    async def all_ran(times):
        return await ran() == [times] * len(able)

    for times, lane in enumerate(["at_least_once", "at_least_once", "at_most_once"], 1):
        await client.send(announcer, b"go", options=DeliveryOptions(reliability=lane))
        await eventually(functools.partial(all_ran, times), HOLD_S)
    assert (await client.inspect(announcer)).counters["run"] == 3


async def test_who_is_deployed_is_found_at_once(client, deployed):
    """Also when nobody had the capability a moment ago, and that is known."""
    with pytest.raises(NoCapableAgents):
        await client.request(Capability("new"), b"hello")
    agents = await deployed("new", 1)

    assert (await client.request(Capability("new"), b"hello")).sender == agents[0]


async def test_names_that_nobody_has_keep_nobody_from_who_is_there(client, deployed):
    """A client that asks for more of them than a shard tells of is told of each, and finds who can do it at once."""
    agents = await deployed("talk", 1)
    for first in range(0, MOST_OF_SUBSCRIBER, 256):
        some = [caxton.Message(Capability(f"nobody can {n}"), b"x") for n in range(first, first + 256)]
        assert {type(result) for result in await client.send_batch(some)} == {NoCapableAgents}
    with pytest.raises(NoCapableAgents):
        await client.request(Capability("nobody can this either"), b"hello")
    assert (await client.request(Capability("talk"), b"hello")).sender == agents[0]


async def test_what_one_refuses_another_takes(client, deployed):
    """The receipt says who was tried."""
    agents = await deployed("talk", 2)
    await client.request(Capability("talk"), b"it is known who can")
    await client.stop(agents[0])
    receipts = [await client.send(Capability("talk"), b"hello") for _ in range(16)]

    assert {receipt.agent for receipt in receipts} == {agents[1]}
    assert {receipt.tried for receipt in receipts} <= {(), (agents[0],)}


async def test_an_attached_agent_is_a_candidate_while_its_program_is_there(client, served):
    """It takes messages to its capabilities, and sends to those of others."""

    async def pass_on(delivered):
        return [
            caxton.Message(
                Capability("end"),
                delivered.message.content,
                reply_with=delivered.message.reply_with,
                reply_to=delivered.message.sender,
            )
        ]

    await client.deploy("end", ECHO, capabilities=["end"])
    async with served.connect() as other:
        async with other.attach("start", pass_on, capabilities=["start"]):
            reply = await client.request(Capability("start"), b"hello", timeout_s=HOLD_S)
            assert (reply.content, reply.sender) == (b"hello", client.id_of("end"))

        assert [view.is_healthy for view in await client.find("start")] == [False]
        with pytest.raises(NoCapableAgents):
            await client.request(Capability("start"), b"hello", timeout_s=HOLD_S)


async def test_capabilities_change_at_run_time_and_survive_a_kill(client, served, deployed):
    """An operator's word on health keeps messages away; a worker that is killed knows all of it again."""
    one, two = await deployed("talk", 2)
    await client.advertise(one, health="unhealthy")
    view = await client.advertise(two, add=["sing"], remove=["talk"], weight=3)
    assert (view.capabilities, view.weight) == (("sing",), 3)
    with pytest.raises(NoCapableAgents):
        await client.request(Capability("talk"), b"hello")
    for shard in range(2):
        await served.kill_worker(shard)

    async def looked_up():
        try:
            return await client.lookup([one, two, "nobody"])
        except NetworkError:  # asked of a worker that had not ended yet
            return None

    views = await eventually(looked_up)
    assert [views[0].health, views[1].capabilities, views[1].weight] == ["unhealthy", ("sing",), 3]
    assert isinstance(views[2], caxton.errors.AgentNotFound)
    assert (await client.request(Capability("sing"), b"hello", timeout_s=HOLD_S)).sender == two
    with pytest.raises(ValidationError, match="64"):
        await client.advertise(one, add=[str(n) for n in range(64)])


async def test_durable_messages_wait_for_a_worker_that_has_the_only_one(client, served, deployed):
    """It is still known, and its worker's successor takes what was sent meanwhile."""
    (agent,) = await deployed("only", 1)
    await client.send(Capability("only"), b"it is known who can")
    shard = (await client.inspect(agent)).shard
    async with asyncio.TaskGroup() as group:
        killing = group.create_task(served.kill_worker(shard))
        receipt = await client.send(Capability("only"), b"hello")
    assert killing.done()
    assert receipt.agent == agent


async def test_capabilities_of_all_shards_are_one_list(client):
    """In the order of the alphabet, each once, behind any of them; a few are asked for at a time."""
    names = [f"listed-{number:03}" for number in range(120)]
    can = [names[n * 10 : n * 10 + 30] for n in range(10)]
    await client.deploy_many([caxton.Deployment(f"lists-{n}", ECHO, capabilities=can[n]) for n in range(10)])
    told = [view async for view in client.capabilities(after="listed-")]
    assert [view.name for view in told if view.name.startswith("listed-")] == names
    assert sum(view.agents for view in told if view.name in names) == 300
    assert [view.name async for view in client.capabilities(after=names[-3])][:2] == names[-2:]
    with pytest.raises(ValidationError):
        await anext(client.capabilities(after="x" * 101))


def test_the_command_line_sends_and_tells(served):
    """`caxton message … @capability`, and `caxton capability`."""

    def run(*arguments, code=0):
        result = CliRunner(env={"CAXTON_RUNTIME_DIR": str(served.runtime_dir)}).invoke(app, list(arguments))
        assert result.exit_code == code, result.stderr
        return json.loads(result.stdout or result.stderr)

    agent = run("agent", "deploy", "echo", str(ECHO), "--capability", "talk", "-o", "json")["agent_id"]
    assert run("message", "request", "@talk", "hello", "-o", "json")["content"] == "hello"
    sent = run("message", "send", "@talk", "hello", "--balancing", "weighted", "-o", "json")
    assert (sent["receiver"], sent["tried"]) == (agent, [])
    assert run("message", "send", "@nobody", "x", "-o", "json", code=1)["error"] == "NoCapableAgents"
    assert run("capability", "list", "-o", "json") == [{"capability": "talk", "agents": 1, "healthy": 1}]
    assert [row["name"] for row in run("capability", "show", "talk", "-o", "json")] == ["echo"]
    changed = run("capability", "advertise", "echo", "--add", "sing", "--health", "unhealthy", "-o", "json")
    assert (changed["capabilities"], changed["healthy"]) == (["talk", "sing"], False)
    assert [row["healthy"] for row in run("capability", "find", "talk", "sing", "-o", "json")] == [False]
    run("agent", "remove", "echo", "-o", "json")
