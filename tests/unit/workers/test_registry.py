import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Manifest
from caxton.agents.names import NamePattern
from workers.agents.registry import Agent, Registry, state_of


def registry_of(names):
    """Return a registry with agents of these names; every second one is paused."""
    registry = Registry()
    for number, name in enumerate(names):
        agent = Agent(number + 1, Manifest(name, bytes(32)))
        agent.state = AgentState.PAUSED if number % 2 else AgentState.RUNNING
        registry.add(agent)
    return registry


@given(
    names=st.lists(st.text("abcäö", min_size=1, max_size=3), unique=True),
    gone=st.sets(st.integers(0, 20)),
    limit=st.integers(1, 5),
)
def test_pages_list_every_agent_once_by_name(names, gone, limit):
    """Pages that follow each other hold every agent that is there, in the order of names, and say when they end."""
    registry = Registry()
    for number, name in enumerate(names):
        registry.add(Agent(number + 1, Manifest(name, bytes(32))))
        registry.page("", 1)
    for place in gone:
        registry.remove(place + 1)
    listed, after, more = [], "", True
    while more:
        page, more, after = registry.page(after, limit)
        assert len(page) <= limit
        listed += [agent.manifest.name for agent in page]

    assert listed == sorted(name for place, name in enumerate(names) if place not in gone)


def test_a_page_ends_when_it_is_large(monkeypatch):
    """With the agent that makes it so; the next page goes on behind that one."""
    registry = Registry()
    for number, name in enumerate("abc"):
        registry.add(Agent(number + 1, Manifest(name, bytes(32), capabilities=("x" * 100,))))
    monkeypatch.setattr("workers.agents.registry.MOST_PAGE_BYTES", 2 * registry.bytes // 3)

    assert [agent.manifest.name for agent in registry.page("", 5).agents] == ["a", "b"]
    assert registry.page("", 5)[1:] == (True, "b")
    assert [agent.manifest.name for agent in registry.page("b", 5).agents] == ["c"]


def test_a_page_may_start_at_a_name_that_is_gone():
    """The name that a page starts after need not be there any more."""
    registry = Registry()
    for number, name in enumerate(("a", "b", "d")):
        registry.add(Agent(number + 1, Manifest(name, bytes(32))))

    assert [agent.manifest.name for agent in registry.page("c", 5)[0]] == ["d"]


@given(
    names=st.lists(st.text("ab*", min_size=1, max_size=4), unique=True),
    pattern=st.none() | st.text("ab*", min_size=1, max_size=4),
    state=st.sampled_from([None, "running", "paused", "failed"]),
    among=st.lists(st.text("ab*", min_size=1, max_size=4), max_size=3),
    limit=st.integers(1, 5),
    looked_at=st.integers(1, 5),
)
def test_pages_list_every_agent_that_is_wanted_once(names, pattern, state, among, limit, looked_at):
    """However few are looked at for one page, the pages together have all whose name and state fit, and no others."""
    registry = registry_of(names)
    name = None if pattern is None else NamePattern(pattern)
    patterns = [*map(NamePattern, among)]
    listed, after, more = [], "", True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workers.agents.registry.MOST_LOOKED_AT", looked_at)
        while more:
            page, more, going_on = registry.page(after, limit, name, state, patterns)
            assert len(page) <= limit
            assert not more or going_on > after
            listed += page
            after = going_on

    wanted = {
        agent
        for agent in registry.agents.values()
        if (name is None or name.fits(agent.manifest.name))
        and state in {None, state_of(agent)}
        and (not patterns or any(pattern.fits(agent.manifest.name) for pattern in patterns))
    }
    assert listed == sorted(wanted, key=lambda agent: agent.manifest.name)


def test_a_page_looks_at_few_agents(monkeypatch):
    """A name that nobody has is not looked for among all of a million in one go, nor where no such name can stand."""
    monkeypatch.setattr("workers.agents.registry.MOST_LOOKED_AT", 3)
    registry = registry_of(["a1", "a2", "a3", "a4", "b1"])

    assert registry.page("", 5, NamePattern("*x")) == ([], True, "a3")
    assert registry.page("", 5, NamePattern("b2")) == ([], False, "")
    assert registry.page("", 5, NamePattern("a*4")) == ([], True, "a3")
    assert registry.page("a3", 5, NamePattern("a*5")) == ([], False, "a4")
    assert registry.page("", 5, among=[NamePattern("b*")])[:2] == ([registry.agents[5]], False)
    assert registry.page("", 5, among=[NamePattern("a0")]) == ([], False, "")


def test_only_a_running_agent_takes_messages(shard):
    """An agent takes messages from the moment it runs until it drains."""
    agent = shard.agent(1)
    assert agent.takes
    agent.become(agent.state.DRAINING)
    assert not agent.takes
    agent.become(agent.state.STOPPED)
    with pytest.raises(Exception, match="cannot become running"):
        agent.become(agent.state.RUNNING)
