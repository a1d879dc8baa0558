"""The agents of a shard by what they can do, and whether they are candidates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Health, Manifest
from caxton.errors import AgentNotFound, ValidationError
from workers.agents.registered_bytes import registered_bytes
from workers.agents.registry import Agent, Hold, Registry
from workers.capabilities.loads import Loads
from workers.durable.advertising import Advertising, changed


@pytest.fixture
def advertising(shard):
    return Advertising(shard.registry, shard.durable.journal)


def test_agents_stand_by_what_they_can_do(shard):
    """And no more when they are gone; who has no capability stands nowhere."""
    one, two = shard.agent(1, can=("a", "b")), shard.agent(2, can=("b",))
    shard.agent(3)
    offers = shard.registry.offers
    assert [offers.some_with_all(names, 9) for names in (("a",), ("b",), ("a", "b"), ("c",))] == [
        [one.agent_id],
        [one.agent_id, two.agent_id],
        [one.agent_id],
        [],
    ]
    assert ([*offers.names("")], [*offers.page_of("b", "")]) == (["a", "b"], [one, two])
    assert ([*offers.names("a")], [*offers.page_of("b", one.manifest.name)]) == (["b"], [two])
    shard.registry.remove(one.agent_id)
    assert ([*offers.names("")], [*offers.page_of("b", "")], [*offers.page_of("a", "")]) == (["b"], [two], [])


@given(st.lists(st.tuples(st.integers(1, 4), st.sets(st.sampled_from("abc"))), max_size=20), st.sampled_from(" ab"))
def test_what_is_listed_is_in_order_whoever_comes_and_goes(changes, after):
    """Agents come, have other capabilities and go, and after each change the lists are those of whoever is there."""
    registry, there = Registry(), {}
    for number, names in changes:
        manifest = Manifest(f"agent-{9 - number}", bytes(32), capabilities=tuple(sorted(names)))
        if number not in there:
            there[number] = Agent(number, manifest)
            registry.add(there[number])
        elif names:
            registry.replace(there[number], manifest)
        else:
            registry.remove(number)
            del there[number]
        have = {name: [agent for agent in there.values() if name in agent.manifest.capabilities] for name in "abc"}
        assert [*registry.offers.names(after)] == [name for name in have if have[name] and name > after]
        for name in "abc":
            listed = [agent.manifest.name for agent in registry.offers.page_of(name, "agent-6")]
            assert listed == sorted(agent.manifest.name for agent in have[name] if agent.manifest.name > "agent-6")
    assert registry.bytes == sum(registered_bytes(agent.manifest) for agent in there.values())


def test_who_is_told_of_is_who_is_healthy(shard, advertising):
    """All at first as each on its own, whatever changed before: health, weight, a hold."""
    agents = [shard.agent(n, can=("a",)) for n in range(1, 7)]
    agents[0].hold(Hold.BROKEN)
    agents[1].hold(Hold.BROKEN)
    agents[1].release(Hold.BROKEN)
    advertising.change(agents[2].agent_id, (), (), health=Health.UNHEALTHY)
    advertising.change(agents[3].agent_id, (), (), weight=7)
    shard.registry.remove(agents[4].agent_id)
    loads = Loads(shard.registry, {})
    found, looked_at = loads.candidates(("a",), 99, 99)

    assert {one.agent_id: one.weight for one in found} == {agents[n].agent_id: 7 if n == 3 else 1 for n in (1, 3, 5)}
    alone = [one for agent in agents if (one := loads.candidate(agent.agent_id, ("a",))) is not None]
    assert sorted(found, key=str) == sorted(alone, key=str)
    assert looked_at == 5
    shard.registry.remove(agents[0].agent_id)
    shard.registry.remove(agents[3].agent_id)
    offers = shard.registry.offers
    assert (offers.unhealthy, offers.weights) == ({agents[2].agent_id}, {})


def test_what_changes_is_told(shard):
    """With what an agent can do, and could do before."""
    told = []
    shard.registry.offers.on_change = lambda agent_id, names: told.append((agent_id, sorted(names)))
    agent = shard.agent(1, can=("a",))
    before, agent.manifest = agent.manifest, structs.replace(agent.manifest, capabilities=("b",))
    shard.registry.offers.replace(agent, before.capabilities)
    agent.hold(Hold.BROKEN)
    shard.registry.remove(agent.agent_id)

    assert told == [(agent.agent_id, names) for names in (["a"], ["a", "b"], ["b"], ["b"])]


@pytest.mark.parametrize(
    ("change", "auto", "healthy"),
    [
        (lambda _: None, True, True),
        (lambda agent: agent.become(AgentState.PAUSED), False, True),
        (lambda agent: agent.become(AgentState.STOPPED), False, False),
        (lambda agent: agent.hold(Hold.BROKEN), False, False),
        (lambda agent: agent.hold(Hold.ATTACHED), False, False),
        (lambda agent: (agent.hold(Hold.ATTACHED), agent.attach(7)), True, True),
    ],
)
def test_a_candidate_runs_and_somebody_runs_its_turns(shard, change, auto, healthy):
    """An operator's word goes before; but nobody is a candidate who takes no messages."""
    agent = shard.agent(1, can=("a",))
    change(agent)
    found = []
    for health in Health:
        agent.manifest = structs.replace(agent.manifest, health=health)
        found.append(agent.is_healthy)

    assert found == [auto, healthy, False]


def test_an_agent_may_have_others_at_run_time(shard, advertising):
    """The commit that is gathered has them, and whoever looks for one finds it."""
    agent = shard.agent(1, can=("a",))
    advertising.change(agent.agent_id, ["b", "b"], ["a"], weight=3, health=Health.UNHEALTHY)
    journal = shard.durable.journal

    assert agent.manifest.capabilities == ("b",)
    assert (agent.manifest.weight, agent.manifest.health) == (3, Health.UNHEALTHY)
    assert list(journal.commit.offered) == [agent.agent_id]
    assert journal.urgent
    assert [*shard.registry.offers.names("")] == ["b"]


def test_what_changes_nothing_is_not_written(shard, advertising):
    """Who says the same again costs no commit."""
    agent = shard.agent(1, can=("a",))
    advertising.change(agent.agent_id, ["a"], ["c"])

    assert not shard.durable.journal.commit.offered
    with pytest.raises(AgentNotFound):
        advertising.change(5, ["a"], [])


def test_ten_thousand_capabilities_on_one_agent_are_refused(shard, advertising):
    """It keeps those that it had, of which there are 64 at most."""
    agent = shard.agent(1, can=tuple(map(str, range(63))))
    advertising.change(agent.agent_id, ["one more"], [])
    with pytest.raises(ValidationError, match="64"):
        advertising.change(agent.agent_id, map(str, range(10_000)), [])

    assert len(agent.manifest.capabilities) == 64


def test_what_is_added_and_removed_is_not_there(shard):
    """Names stand in the order in which they came."""
    manifest = shard.agent(1, can=("a", "b")).manifest

    assert changed(manifest, ["d", "c", "b"], ["a", "d"]).capabilities == ("b", "c")
