from hypothesis import given
from hypothesis import strategies as st

from workers.durable.gathered import Gathered

AGENTS, SIZES = st.integers(1, 4), st.sampled_from([0, 1, 1, 7, 100])
GATHERED = st.tuples(st.just("add"), AGENTS, SIZES)
LEFT = st.tuples(st.just("leave"), AGENTS, st.integers(0, 20))


@given(st.lists(GATHERED | LEFT | st.just(("go",)), max_size=300))
def test_who_has_the_most_is_found_whatever_came_and_went(steps):
    """The first to go is the oldest letter of an agent that has the most; bytes are those of what is there."""
    gathered, there = Gathered(), {}
    for number, step in enumerate(steps):
        if step[0] == "add":
            _, agent, size = step
            gathered.add(number, agent, size)
            there[number] = agent, size
        elif step[0] == "leave":
            _, agent, left = step
            gathered.leave(left, agent)
            if there.get(left, (0,))[0] == agent:
                del there[left]
        elif there:
            has = {agent: sum(size for whose, size in there.values() if whose == agent) for agent, _ in there.values()}
            first = gathered.first_to_go()
            whose = there[first][0]
            assert has[whose] == max(has.values())
            assert first == min(number for number, (agent, _) in there.items() if agent == whose)
            gathered.leave(first, whose)
            del there[first]
        assert gathered.bytes == sum(size for _, size in there.values())


def test_what_was_found_out_about_agents_is_bounded():
    """However many letters come and go, it remembers what there is, and a little of what there was."""
    gathered = Gathered()
    for number in range(10_000):
        gathered.add(number, number % 3, 1)
        gathered.leave(number, number % 3)
        assert len(gathered._most) <= 2 * 3 + 64
