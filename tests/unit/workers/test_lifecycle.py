import asyncio
from pathlib import Path

import pytest
import wasmtime

from caxton.acl.failure import read_report
from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import (
    AgentAlreadyRegistered,
    AgentNotFound,
    AgentNotRunning,
    DeploymentError,
    InvalidStateTransition,
    ModuleUnknown,
    NoMemoryExport,
    ResourceExhausted,
    StorageError,
    ValidationError,
)
from caxton.store.agents import StoredAgents
from caxton.store.database import Database
from workers.agents import registry
from workers.agents.registry import Hold
from workers.operations import lifecycle
from workers.sandbox.modules import ModuleMissing

GUESTS = Path(__file__).parents[2] / "guests"
ECHO, MUTE, UNKNOWN = b"e" * 32, b"m" * 32, b"u" * 32


@pytest.fixture(scope="module")
def modules():
    engine = wasmtime.Engine()
    return {
        ECHO: wasmtime.Module(engine, wasmtime.wat2wasm((GUESTS / "echo.wat").read_text())),
        MUTE: wasmtime.Module(engine, wasmtime.wat2wasm("(module)")),
    }


@pytest.fixture
def ready(shard, modules):
    """A shard whose modules are these."""

    def load(sha256):
        if sha256 not in modules:
            raise ModuleMissing(sha256)
        return modules[sha256]

    shard.lifecycle._modules.load = load
    return shard


def manifest(name, module=ECHO, **fields):
    return Manifest(name, module, **fields)


def deploy(shard, *manifests):
    return shard.runner.run(shard.lifecycle.deploy(list(manifests)))


def id_of(shard, name):
    return shard.lifecycle._names.id_of(name)


def agent(shard, name):
    return shard.registry.find(id_of(shard, name))


def test_a_deployed_agent_is_stored_and_runs(ready):
    """After a deployment the agent takes messages and is stored as running."""
    assert deploy(ready, manifest("a")) == {}
    assert agent(ready, "a").takes
    assert ready.stored.states == {id_of(ready, "a"): AgentState.RUNNING}


def test_of_two_deployments_at_once_one_succeeds(ready):
    """A name that is being deployed is taken, in the same call and in another at the same time."""

    async def both():
        return await asyncio.gather(
            ready.lifecycle.deploy([manifest("a"), manifest("a")]), ready.lifecycle.deploy([manifest("a")])
        )

    first, second = ready.runner.run(both())
    assert [type(error) for error in (*first.values(), *second.values())] == [AgentAlreadyRegistered] * 2
    assert list(first) == [1]
    assert len(ready.registry.agents) == 1


def test_of_two_who_attach_a_new_name_at_once_both_get_the_agent(ready, monkeypatch, one_turn_of_the_loop):
    """Who comes while the name is being stored waits for that, and is asked then whether the agent is somebody's."""
    attached, add = manifest("a", encoding=Encoding.ATTACHED), ready.stored.add

    async def add_later(*given, **named):
        await one_turn_of_the_loop()
        return await add(*given, **named)

    monkeypatch.setattr(ready.stored, "add", add_later)

    async def both():
        attach = ready.lifecycle.attachable
        return await asyncio.gather(*(attach(attached, again=False) for _ in range(2)))

    first, second = ready.runner.run(both())
    assert first is second is agent(ready, "a")


def test_what_is_refused_leaves_nothing(ready):
    """Each manifest is refused for itself, leaves nothing, and the others are deployed."""
    deploy(ready, manifest("old"))
    refused = deploy(
        ready, manifest("mute", MUTE), manifest("a"), manifest("who", UNKNOWN), manifest("old"), manifest("b")
    )

    assert {place: type(error) for place, error in refused.items()} == {
        0: NoMemoryExport,
        2: ModuleUnknown,
        3: AgentAlreadyRegistered,
    }
    assert {a.manifest.name for a in ready.registry.agents.values()} == {"old", "a", "b"}
    assert len(ready.stored.states) == 3
    assert deploy(ready, manifest("mute"), manifest("who")) == {}


def test_agents_are_bounded(ready, monkeypatch):
    """As many agents as a shard keeps may come, those of one call included; one more is refused until another goes."""
    monkeypatch.setattr(lifecycle, "MOST_AGENTS", 2)
    refused = deploy(ready, manifest("a"), manifest("b"), manifest("c"))

    assert {place: type(error) for place, error in refused.items()} == {2: ResourceExhausted}
    assert set(ready.stored.states) == {id_of(ready, "a"), id_of(ready, "b")}
    ready.runner.run(ready.lifecycle.remove([id_of(ready, "a")]))
    assert deploy(ready, manifest("c")) == {}


def test_names_and_capabilities_are_bounded_in_bytes(ready, monkeypatch):
    """As much as a shard keeps of them may come, that of one call included; a byte more waits until another goes."""
    some = [manifest(name, capabilities=("\U0001f600" * 100,)) for name in "abc"]
    monkeypatch.setattr(registry, "MOST_REGISTERED_BYTES", 2 * registry.registered_bytes(some[0]))
    refused = deploy(ready, *some)
    assert {place: (type(error), error.limit) for place, error in refused.items()} == {
        2: (ResourceExhausted, registry.MOST_REGISTERED_BYTES)
    }

    change = ready.routes.advertising.change
    with pytest.raises(ResourceExhausted):
        change(id_of(ready, "a"), ["x"], ())
    change(id_of(ready, "a"), ["x"], some[0].capabilities)
    assert agent(ready, "a").manifest.capabilities == ("x",)
    change(id_of(ready, "a"), some[0].capabilities, ["x"])
    ready.runner.run(ready.lifecycle.remove([id_of(ready, "a")]))
    assert deploy(ready, some[2]) == {}
    assert ready.registry.bytes == registry.MOST_REGISTERED_BYTES


def test_what_was_checked_is_forgotten_beyond_a_bound(ready, monkeypatch):
    """Modules are checked once for each of their limits, and again when too many were."""
    monkeypatch.setattr(lifecycle, "MOST_CHECKED", 2)
    kinds = [Limits(max_memory_bytes=n << 20) for n in (2, 3, 4)]
    for name, limits in zip("abc", kinds, strict=True):
        assert deploy(ready, manifest(name, limits=limits)) == {}

    assert ready.lifecycle._checked == {(ECHO, 4 << 20)}


def test_a_module_that_was_removed_is_unknown_again(ready):
    """A module is looked for and marked at each deployment, also when this worker has it: its next start would fail."""
    marked = []
    ready.lifecycle._modules.touch = lambda sha256: (marked.append(sha256), len(marked) < 3)[1]
    assert deploy(ready, manifest("a"), manifest("b")) == {}
    assert [type(error) for error in deploy(ready, manifest("c")).values()] == [ModuleUnknown]
    assert marked == [ECHO] * 3


def test_an_agent_of_another_shard_is_refused(make_shard):
    """An agent belongs to the shard that its name says."""
    shard = make_shard(shards=2)
    names = [name for name in map(str, range(20)) if id_of(shard, name) % 2]

    (error,) = deploy(shard, manifest(names[0])).values()
    assert type(error) is DeploymentError
    assert "belongs to shard 1" in str(error)


@pytest.mark.parametrize(
    ("name", "why"),
    [("e\u0301cho", "NFC"), (" echo", "blanks"), ("caxton:clock", "reserved"), ("00000000C0FFEE00", "how ids")],
    ids=ascii,
)
def test_a_shard_registers_no_name_that_a_client_would_not_send(ready, name, why):
    """A program that speaks to a worker by itself deploys and attaches nothing that passes for another's."""
    (error,) = deploy(ready, manifest(name)).values()
    with pytest.raises(ValidationError, match=why):
        ready.runner.run(ready.lifecycle.attachable(manifest(name, encoding=Encoding.ATTACHED), again=False))

    assert isinstance(error, ValidationError)
    assert why in str(error)
    assert ready.registry.agents == {}


def test_a_name_is_free_after_a_storage_error(ready):
    """A deployment that could not be stored has deployed nothing, and may be tried again."""
    ready.stored.broken = True
    with pytest.raises(StorageError):
        deploy(ready, manifest("a"), manifest("b"))
    assert ready.registry.agents == {}

    ready.stored.broken = False
    assert deploy(ready, manifest("a"), manifest("b")) == {}


@pytest.mark.parametrize("way", ["stop", "remove"])
def test_a_storage_error_changes_nothing(ready, message, way):
    """An agent whose stop or removal could not be stored goes on as if nobody had asked, with its messages."""
    deploy(ready, manifest("a"))
    here = agent(ready, "a")
    here.hold(Hold.PAUSED)
    session = ready.sessions[0]
    ready.frame(session, [message(session, here.agent_id)])
    ready.settle()
    ready.stored.broken = True
    asked = here.agent_id if way == "stop" else [here.agent_id]
    with pytest.raises(StorageError):
        ready.runner.run(getattr(ready.lifecycle, way)(asked))

    assert (here.takes, here.state, here.mailbox.depth) == (True, AgentState.RUNNING, 1)
    assert ready.registry.find(here.agent_id) is here


@pytest.mark.parametrize("way", ["stop", "remove"])
def test_what_waits_is_answered(ready, message, way):
    """What waited for an agent that is stopped or removed comes back as failures; what it has sent goes on."""
    deploy(ready, manifest("a"), manifest("b"))
    here, other, session = agent(ready, "a"), agent(ready, "b"), ready.sessions[0]
    here.hold(Hold.PAUSED)
    ready.routes.send([message(here.agent_id, other.agent_id)] * 2, (0, 0))
    ready.frame(session, [message(session, here.agent_id) for _ in range(3)])
    ready.step()
    asked = here.agent_id if way == "stop" else [here.agent_id]
    ready.runner.run(getattr(ready.lifecycle, way)(asked))
    ready.settle()

    errors = [read_report(m.content) for m in ready.emitted(session)]
    assert [type(error) for error in errors] == [AgentNotRunning] * 3
    assert ready.counts()["discarded"] == 3
    assert [who for who, _ in ready.turns.taken] == [other, other]


def test_a_stopped_agent_cannot_be_stopped(ready):
    """An agent is stopped once; a second stop, also at the same time, is told that there is no way."""
    deploy(ready, manifest("a"))
    agent_id = id_of(ready, "a")

    async def twice():
        stop = ready.lifecycle.stop
        return await asyncio.gather(stop(agent_id), stop(agent_id), return_exceptions=True)

    results = ready.runner.run(twice())
    assert [type(result) for result in results] == [type(None), InvalidStateTransition]
    with pytest.raises(InvalidStateTransition):
        ready.runner.run(ready.lifecycle.stop(agent_id))
    assert ready.stored.states[agent_id] is AgentState.STOPPED


@pytest.mark.parametrize("agent_id", [0, 5, (1 << 64) - 1])
def test_who_is_not_there_cannot_be_stopped_or_removed(ready, agent_id):
    """Stopping and removing nobody is AgentNotFound, whatever the number."""
    with pytest.raises(AgentNotFound):
        ready.runner.run(ready.lifecycle.stop(agent_id))
    assert [type(e) for e in ready.runner.run(ready.lifecycle.remove([agent_id])).values()] == [AgentNotFound]


def test_a_removed_name_is_free_again(ready):
    """After a removal, also one that names an agent twice, the name may be deployed anew; a stopped one keeps it."""
    deploy(ready, manifest("a"), manifest("b"))
    ready.runner.run(ready.lifecycle.stop(id_of(ready, "b")))
    assert ready.runner.run(ready.lifecycle.remove([id_of(ready, "a")] * 2)) == {}

    refused = deploy(ready, manifest("a"), manifest("b"))
    assert {place: type(error) for place, error in refused.items()} == {1: AgentAlreadyRegistered}


def test_agents_of_the_file_come_back(ready, tmp_path):
    """What was running runs after a restart, what was stopped is stopped, what was removed is not there."""

    async def live():
        database = await Database.open(tmp_path / "shard-0.db")
        ready.lifecycle._stored = StoredAgents(database)
        await ready.lifecycle.load()
        return database

    async def first():
        database = await live()
        assert await ready.lifecycle.deploy([manifest(name) for name in "abc"]) == {}
        await ready.lifecycle.stop(id_of(ready, "b"))
        await ready.lifecycle.remove([id_of(ready, "c")])
        await database.close()
        ready.registry.agents.clear()

    async def second():
        await (await live()).close()

    ready.runner.run(first())
    ready.runner.run(second())
    assert {a.manifest.name: a.state for a in ready.registry.agents.values()} == {
        "a": AgentState.RUNNING,
        "b": AgentState.STOPPED,
    }


def test_who_is_stored_under_a_name_like_an_id_goes_on(ready, tmp_path, monkeypatch):
    """No new agent is named so; one from before that is known, and paused, resumed and removed, by its id."""
    name = "00000000c0ffee00"

    async def live():
        database = await Database.open(tmp_path / "shard-0.db")
        ready.lifecycle._stored = StoredAgents(database)
        await ready.lifecycle.load()
        return database

    async def before():
        database = await live()
        with monkeypatch.context() as patch:
            patch.setattr(lifecycle, "check_new_name", lambda _: None)
            assert await ready.lifecycle.deploy([manifest(name)]) == {}
        await database.close()
        ready.registry.agents.clear()

    async def now():
        database = await live()
        found = agent(ready, name)
        assert found.takes
        await ready.lifecycle.pause(found.agent_id)
        await ready.lifecycle.resume(found.agent_id)
        assert agent(ready, name).takes
        assert await ready.lifecycle.remove([found.agent_id]) == {}
        refused = await ready.lifecycle.deploy([manifest(name)])
        assert [type(error) for error in refused.values()] == [ValidationError]
        await database.close()

    ready.runner.run(before())
    ready.runner.run(now())
    assert ready.registry.agents == {}


def test_who_was_named_like_an_id_before_that_was_refused_is_attached(shard):
    """The rule is for new names; those that are registered stay what they are."""
    there, new = "0123456789abcdef", "fedcba9876543210"
    registered = Manifest(there, bytes(32), Encoding.ATTACHED)
    agent = shard.lifecycle._register(shard.lifecycle._names.id_of(there), registered)

    assert shard.runner.run(shard.lifecycle.attachable(registered, again=False)) is agent
    with pytest.raises(ValidationError, match="how ids are written"):
        shard.runner.run(shard.lifecycle.attachable(Manifest(new, bytes(32), Encoding.ATTACHED), again=False))
