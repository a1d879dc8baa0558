from hypothesis import given
from hypothesis import strategies as st

from caxton.supervisor.workforce.restart_policy import FIRST_DELAY_S, LONGEST_DELAY_S, WINDOW_S, RestartPolicy

gaps = st.floats(0.0, 40.0)
served = st.floats(0.0, 3.0)
jitters = st.floats(0.0, 1.0)
lives = st.lists(st.tuples(gaps, served, jitters), max_size=60)


def restarts_of(policy, lives):
    """Return when each restart starts, for workers that die one after the other until the policy gives up."""
    now_s, starts = 100.0, []
    for gap_s, served_s, jitter in lives:
        now_s += gap_s + served_s
        wait_s = policy.after_death(now_s, served_s, jitter)
        if wait_s is None:
            break
        now_s += wait_s
        starts.append(now_s)
    return starts


@given(st.integers(0, 8), lives)
def test_no_window_holds_more_restarts_than_the_limit(limit, lives):
    """Whenever workers die, no 30 s hold more restarts than the limit."""
    starts = restarts_of(RestartPolicy(limit), lives)

    for start in starts:
        assert sum(start - WINDOW_S < other <= start for other in starts) <= limit


@given(lives)
def test_a_shard_is_given_up_only_at_the_limit(lives):
    """A shard is given up only when as many restarts as allowed lie within the last 30 s."""
    policy, now_s, starts = RestartPolicy(5), 100.0, []
    for gap_s, served_s, jitter in lives:
        now_s += gap_s + served_s
        recent = [start for start in starts if start > now_s - WINDOW_S]
        wait_s = policy.after_death(now_s, served_s, jitter)
        assert (wait_s is None) == (len(recent) >= 5)
        if wait_s is None:
            return
        now_s += wait_s
        starts.append(now_s)


@given(st.lists(jitters, min_size=1, max_size=40))
def test_waits_double_up_to_the_longest(jitters):
    """Of workers that die before they served, the first is replaced within 50 ms, later ones after doubling waits."""
    policy = RestartPolicy(1_000)

    waits = [policy.after_death(0.0, 0.0, jitter) for jitter in jitters]

    for number, wait_s in enumerate(waits):
        longest = min(FIRST_DELAY_S * 2**number, LONGEST_DELAY_S)
        assert longest / 2 <= wait_s <= longest


def test_a_good_life_makes_the_next_restart_quick():
    """After a worker that served for a second or more, the next restart is as quick as the first."""
    policy = RestartPolicy(1_000)
    for _ in range(10):
        policy.after_death(0.0, 0.0, 1.0)

    assert policy.after_death(0.0, 1.0, 1.0) == FIRST_DELAY_S


def test_a_limit_of_zero_restarts_nobody():
    """With a limit of 0 the first death fails the shard."""
    assert RestartPolicy(0).after_death(0.0, 100.0, 0.5) is None


def test_old_restarts_are_forgiven():
    """Restarts more than 30 s ago do not count."""
    policy = RestartPolicy(1)
    first = policy.after_death(0.0, 10.0, 0.0)

    assert first is not None
    assert policy.after_death(WINDOW_S - 1.0, 10.0, 0.0) is None
    assert policy.after_death(WINDOW_S + 1.0, 10.0, 0.0) is not None


@given(st.lists(jitters, min_size=1, max_size=20))
def test_charged_deaths_are_not_counted(jitters):
    """Deaths that are charged wait longer and longer like others, and leave every restart that is allowed."""
    policy = RestartPolicy(1)

    waits = [policy.after_charged_death(0.0, jitter) for jitter in jitters]

    for number, wait_s in enumerate(waits):
        longest = min(FIRST_DELAY_S * 2**number, LONGEST_DELAY_S)
        assert longest / 2 <= wait_s <= longest
    assert policy.after_death(0.0, 0.0, 0.5) is not None
    assert policy.after_death(0.0, 0.0, 0.5) is None


def test_forgotten_restarts_may_be_made_again():
    """After it was told to forget, a policy allows as many restarts as a new one, the first at once."""
    policy = RestartPolicy(1)
    policy.after_death(0.0, 0.0, 1.0)

    policy.forget()

    assert policy.after_death(0.0, 0.0, 1.0) == FIRST_DELAY_S
