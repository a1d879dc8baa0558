"""The record of a hostile run: what is done is done once, over an interruption too, and rounds are one row."""

import json

import pytest
from typer.testing import CliRunner

from caxton.errors import ConfigurationError
from faultlab.hostile.__main__ import app
from faultlab.hostile.record import Record, Step
from faultlab.hostile.trial import Tried

ROUND = Tried("frames", "", "", "counted", 1.5, 40.0, 8, held=True)
BROKEN = Tried("frames", "", "", "the neighbour does not answer", 0.5, 90.0, 4, held=False)


def test_a_run_goes_on_from_what_it_has(tmp_path):
    """Another run on the same file has the seed and the steps of the first, and adds to them."""
    path = tmp_path / "run.jsonl"
    first = Record(path, None, 7)
    first.add(Step("frames 0", [ROUND], frames={"worker data": 3}))
    again = Record(path, None, 8)
    assert (again.seed, again.has("frames 0"), again.has("frames 3")) == (7, True, False)

    again.add(Step("frames 3", [BROKEN], {"refused": 1}, {"worker data": 4}, problems=["a worker died"]))
    last = Record(path, 7, 9)
    assert last.steps == again.steps
    assert (last.frames, last.mutants) == ({"worker data": 7}, {"refused": 1})


@pytest.mark.parametrize("rounds", [[ROUND, BROKEN, ROUND], [BROKEN, ROUND]])
def test_rounds_are_one_row_and_one_that_did_not_hold_shows(rounds):
    """Times and disk are added up, memory is the most there was, and what did not hold once does not hold."""
    record = Record(None, 1, 2)
    for number, row in enumerate(rounds):
        record.add(Step(str(number), [row]))
    (row,) = record.rows
    assert (row.seconds, row.peak_mib, row.held) == (sum(each.seconds for each in rounds), 90.0, False)
    assert row.disk_kib == sum(each.disk_kib for each in rounds)
    assert record.problems == ["frames (, ) came to the neighbour does not answer"]


@pytest.mark.parametrize(("kept", "seed"), [(b"noise\n", None), (b'{"name":"frames 0"}\n', None), (None, 9)])
def test_what_is_no_record_of_this_run_is_refused(tmp_path, kept, seed):
    """A file of something else, or of a run of another seed, is not added to."""
    path = tmp_path / "run.jsonl"
    if kept is None:
        Record(path, 7, 0)
    else:
        path.write_bytes(kept)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="--keep"):
        Record(path, seed, 0)
    assert path.read_bytes() == before


def test_what_is_done_is_not_done_again(tmp_path):
    """A second run on the file of a whole one prints the same, and has nothing left to try."""
    options = ["--kind", "nothing", "--frames", "6000", "--seed", "3", "--keep", str(tmp_path / "kept"), "-o", "json"]
    first, second = (CliRunner().invoke(app, options) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert json.loads(second.stdout.splitlines()[-1]) == json.loads(first.stdout.splitlines()[-1])
