"""Limits that are turned off, one at a time, in a copy of the code: what is changed there, and whom that is told of."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faultlab.limits.__main__ import app
from faultlab.limits.account import NEVER, Constant, Limit, Line, constants, limits
from faultlab.limits.change import without
from faultlab.limits.outcome import Seen, outcome
from faultlab.limits.scratch import Scratch

ROOT = Path(__file__).parents[2]
MOST = Constant("rooms.bounds", "MOST", "", NEVER)
OTHERS = frozenset({("rooms.bounds", "MOST"), ("rooms.bounds", "OTHER"), ("rooms.bounds", "TABLE")})
CAUGHT = "AssertionError builtins.AssertionError builtins.Exception"


@pytest.mark.parametrize(
    ("module", "source", "changed"),
    [
        ("rooms.bounds", "MOST = 3\nOTHER = 2 * MOST\n", None),
        ("rooms.bounds", "MOST, OTHER = 3, 4\nHALF = MOST // 2\n", "MOST, OTHER = 3, 4\nHALF = (never) // 2\n"),
        ("rooms.bounds", "TABLE = {'x': (0, MOST)}\n", "TABLE = {'x': (0, (never))}\n"),
        (
            "rooms.hall",
            "from rooms.bounds import MOST as SO\n\n\ndef f(most=SO):\n    return 'ä', SO, f'{SO}'\n",
            "from rooms.bounds import MOST as SO\n\n\ndef f(most=(never)):\n    return 'ä', (never), f'{SO}'\n",
        ),
        (
            "rooms.hall",
            "from rooms import bounds as at\nx = at.MOST\n",
            "from rooms import bounds as at\nx = (never)\n",
        ),
        ("rooms.hall", "import rooms.bounds\nx = rooms.bounds.MOST\n", "import rooms.bounds\nx = (never)\n"),
        ("rooms.hall", "from rooms.other import MOST\nx = MOST\n", None),
    ],
)
def test_a_limit_is_another_number_wherever_it_is_used(module, source, changed):
    """Uses change, by whatever name; the definition, what other limits are made of, and texts stay as they are."""
    wanted = source if changed is None else changed.replace("never", str(NEVER))
    assert without(source, module, MOST, OTHERS) == wanted


def test_of_a_table_of_pairs_one_most_is_another():
    """Other keys of it, and the least, are as they were."""
    table = Constant("rooms.bounds", "TABLE", "x", NEVER)
    source = "from rooms.bounds import TABLE\nfound = TABLE['x'], TABLE['y']\n"
    found = {"TABLE": {"x": (1, 2), "y": (3, 4)}}
    exec(without(source, "rooms.hall", table, OTHERS).partition("\n")[2], found)  # noqa: S102 (written above)
    assert found["found"] == ((1, NEVER), (3, 4))


@pytest.mark.parametrize(
    ("seen", "code", "word"),
    [
        ([Seen("t", "call", "", "")], 0, "missed"),
        ([Seen("t", "call", CAUGHT, "assert 5 == 4")], 1, "caught"),
        ([Seen("t", "call", "x.Failed builtins.Failed", "DID NOT RAISE QueueFull")], 1, "caught"),
        ([Seen("t", "call", "x.Failed builtins.Failed", "Timeout (>60.0s) from pytest-timeout.")], 1, "unclear"),
        (
            [
                Seen(
                    "t",
                    "call",
                    "caxton.errors.reached.Timeout caxton.errors.root.CaxtonError builtins.TimeoutError",
                    "",
                )
            ],
            1,
            "unclear",
        ),
        ([Seen("t", "call", "builtins.MemoryError builtins.Exception", "")], 1, "unclear"),
        ([Seen("t", "setup", CAUGHT, "assert 5 == 4")], 1, "unclear"),
        ([Seen("t", "setup", "", "")], -11, "unclear"),
        ([], 4, "unclear"),
        ([], 0, "no test"),
    ],
)
def test_only_a_test_that_says_what_is_wrong_has_caught_it(seen, code, word):
    """A test that ends for want of time or memory, or before it begins, has noticed nothing by name."""
    assert outcome(seen, code).word == word


def test_the_account_names_every_limit_once():
    """There are some hundred limits, each with a test of its own or one that it shares, and none is there twice."""
    found = limits(ROOT)
    assert len(found) > 100
    assert len({(str(limit.off), limit.test) for limit in found}) == len(found)
    assert len(constants(found)) > 100


def test_a_limit_that_is_off_is_on_again_afterwards():
    """A line's limit is off for its test alone: that fails, and passes again when the copy is as it was."""
    test = "tests/unit/agents/test_limits.py::test_every_limit_ends_at_its_bounds"
    off = Line("caxton/agents/limits.py", "not least <= value <= most", "not least <= value")
    with Scratch(ROOT) as scratch:
        first = scratch.tried(Limit(off, test), frozenset())
        assert (first.word, "DID NOT RAISE" in first.how) == ("caught", True)
        assert scratch.run(test).word == "missed"


def test_three_limits_by_chance_are_each_caught_by_their_test():
    """Without any one of three limits, others in every run, the test fails that docs/limits.toml names for it."""
    done = CliRunner().invoke(app, ["--some", "3", "-o", "json"])
    said = json.loads(done.stdout.splitlines()[-1])

    assert [row for row in said["limits"] if row["outcome"] != "caught"] == [], f"--some 3 --seed {said['seed']}"
    assert (done.exit_code, len(said["limits"])) == (0, 3)


def test_a_name_that_no_limit_has_is_told():
    """A pattern that fits nothing is refused before anything is copied."""
    done = CliRunner().invoke(app, ["--only", "no_such_limit"])
    assert done.exit_code == 1
    assert "no limit has no_such_limit in its name" in done.stderr
