import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.manifest import Manifest
from workers.agents.registry import Agent, Registry


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
        page, more = registry.page(after, limit)
        assert len(page) <= limit
        listed += [agent.manifest.name for agent in page]
        after = listed[-1] if listed else ""

    assert listed == sorted(name for place, name in enumerate(names) if place not in gone)


def test_a_page_may_start_at_a_name_that_is_gone():
    """The name that a page starts after need not be there any more."""
    registry = Registry()
    for number, name in enumerate(("a", "b", "d")):
        registry.add(Agent(number + 1, Manifest(name, bytes(32))))

    assert [agent.manifest.name for agent in registry.page("c", 5)[0]] == ["d"]


def test_only_a_running_agent_takes_messages(shard):
    """An agent takes messages from the moment it runs until it drains."""
    agent = shard.agent(1)
    assert agent.takes
    agent.become(agent.state.DRAINING)
    assert not agent.takes
    agent.become(agent.state.STOPPED)
    with pytest.raises(Exception, match="cannot become running"):
        agent.become(agent.state.RUNNING)
