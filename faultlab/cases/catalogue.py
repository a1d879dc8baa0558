"""All cases, by the names of their rows: how many runs the short form and the long form make of each."""

from collections.abc import Callable
from typing import NamedTuple

from faultlab.cases import circles, commits, disk, elsewhere, keys, kills, letters, restarts, stalls
from faultlab.row import Row, Show


class Case(NamedTuple):
    """short: runs in CI. long: runs of the table."""

    run: Callable[[int, Show], Row]
    short: int
    long: int


_LINKS = "tests/unit/links"
_SERVE = "tests/integration/serve"
_SUPERVISOR = "tests/unit/supervisor"

_LINKS_CASE = elsewhere.again("12", "frames dropped, duplicated, reordered, corrupted", _LINKS, only="stateful")
_BREAKER_CASE = elsewhere.again("18", "a dead destination: the breaker", "tests/unit", only="breaker")
_START_CASE = elsewhere.again(
    "19", "a worker that dies at its start", _SUPERVISOR, only="restart_policy or dies_at_every_start or given_up"
)
_HUNG_CASE = elsewhere.again(
    "22", "a hung event loop", _SUPERVISOR, _SERVE, only="hung or silent_worker or stopped_worker or long_legal_turn"
)
_STALE_CASE = elsewhere.again(
    "23",
    "stale sockets, second binds, the dead are not reached",
    _SUPERVISOR,
    _SERVE,
    "tests/unit/transport",
    only="dead_runtime or second_serve or new_incarnation or identity_survives or names_of_their_own",
)
_MEMORY_CASE = elsewhere.again("24", "a worker over its memory limit", _SUPERVISOR, only="memory_limit")

CASES: dict[str, Case] = {
    "1": Case(kills.worker_killed, 3, 100),
    "2": Case(commits.receiver_killed_after_commit, 2, 20),
    "3": Case(commits.sender_killed_after_outbox, 2, 20),
    "4": Case(commits.killed_before_done, 2, 20),
    "5": Case(kills.supervisor_killed, 1, 20),
    "6": Case(kills.all_killed, 2, 20),
    "7": Case(disk.power_cut, 2, 50),
    "8": Case(disk.disk_full, 1, 10),
    "9": Case(disk.damaged, 2, 10),
    "10": Case(stalls.worker_stopped, 1, 5),
    "11": Case(stalls.slow_consumer, 1, 10),
    "11b": Case(stalls.flood, 1, 10),
    "11c": Case(stalls.backlog_on_disk, 1, 10),
    "11d": Case(circles.circle, 1, 10),
    "11e": Case(circles.chain, 1, 10),
    "12": Case(_LINKS_CASE, 1, 5),
    "13": Case(elsewhere.volatile_loss, 1, 20),
    "14": Case(letters.poison, 1, 10),
    "15": Case(keys.same_key, 1, 10),
    "16": Case(keys.clock_moved, 2, 10),
    "17": Case(letters.stopped, 2, 10),
    "18": Case(_BREAKER_CASE, 1, 5),
    "19": Case(_START_CASE, 1, 5),
    "20": Case(restarts.terminated, 1, 20),
    "21": Case(restarts.restarted, 1, 20),
    "22": Case(_HUNG_CASE, 1, 5),
    "23": Case(_STALE_CASE, 1, 5),
    "24": Case(_MEMORY_CASE, 1, 5),
    "shell": Case(kills.backlog_killed, 5, 100),
}
