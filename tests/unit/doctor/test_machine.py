import pytest

from caxton.doctor import machine, versions
from caxton.doctor.finding import Verdict

OK, SUGGESTION, PROBLEM = Verdict.OK, Verdict.SUGGESTION, Verdict.PROBLEM
MIB = 1 << 20


@pytest.mark.parametrize(
    ("limit", "verdict"), [(65_536, OK), (7_000, OK), (1_024, SUGGESTION), (256, SUGGESTION), (64, PROBLEM)]
)
def test_open_files_are_room_for_clients(limit, verdict):
    """Without room for one a runtime does not serve; with less than for all it serves fewer."""
    found = machine.open_files(limit, 2)
    assert found.verdict is verdict
    assert ("ulimit -n" in found.advice) is (verdict is not OK)


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(65_530, OK), (65_529, SUGGESTION), (8_192, SUGGESTION), (8_191, PROBLEM), (None, SUGGESTION)],
)
def test_mapped_areas_are_room_for_instances(limit, verdict):
    """Below the kernel's own default fewer fit, and with very few none."""
    assert machine.mappings(limit).verdict is verdict


@pytest.mark.parametrize(
    ("available", "verdict"),
    [
        (1_024 * MIB, OK),
        (1_024 * MIB - 1, SUGGESTION),
        (256 * MIB, SUGGESTION),
        (256 * MIB - 1, PROBLEM),
        (None, SUGGESTION),
    ],
)
def test_memory_is_wanted_by_each_worker(available, verdict):
    """128 MiB each at least, and 512 for agents and what waits for them."""
    assert machine.memory(available, 2).verdict is verdict


def test_a_container_may_have_less_memory_than_its_machine(tmp_path):
    """What is left of its limit counts then; a limit that says max is none."""
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4096 kB\n")
    assert machine.available_memory(tmp_path, tmp_path) == 4 * MIB
    (tmp_path / "memory.max").write_text("3145728\n")
    (tmp_path / "memory.current").write_text("1048576\n")
    assert machine.available_memory(tmp_path, tmp_path) == 2 * MIB
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory(tmp_path, tmp_path) == 4 * MIB
    assert machine.available_memory(tmp_path / "none", tmp_path) is None


def test_a_worker_wants_a_core():
    """More workers than cores are a suggestion, no problem."""
    assert [machine.cores(2, workers).verdict for workers in (1, 2, 3)] == [OK, OK, SUGGESTION]


def test_versions_are_held_to_what_is_required():
    """A package that is missing, too old or too new is told with what is wanted; extras are not looked at."""
    assert versions.packages(["msgspec>=0.1", 'nothing-of-that-name>=1; extra == "bench"']).verdict is OK
    found = versions.packages(["msgspec<0.1", "nothing-of-that-name>=1,<2"])
    assert found.verdict is PROBLEM
    assert "msgspec is " in found.found
    assert "nothing-of-that-name is not installed, and >=1,<2 is wanted" in found.found
    assert versions.packages().verdict is OK


@pytest.mark.parametrize(
    ("version", "bounds", "holds"),
    [
        ("50.0.1", ">=50.0.1,<51", True),
        ("51.0.0", ">=50.0.1,<51", False),
        ("50.0.0", ">=50.0.1,<51", False),
        ("0.22.1", "==0.22.1", True),
        ("0.22", "==0.22.0", True),
        ("1.10", ">=1.9", True),
        ("3.0.0+local", "<4", True),
    ],
)
def test_bounds_of_versions_are_numbers(version, bounds, holds):
    """Compared part by part, not as text."""
    assert versions.fits(version, bounds) is holds


def test_python_and_sqlite_have_least_versions():
    """What is older is a problem."""
    assert [versions.python(v).verdict for v in ((3, 10, 9), (3, 11, 0))] == [PROBLEM, OK]
    assert [versions.sqlite(v).verdict for v in ("3.8.1", "3.8.2", "3.40.1")] == [PROBLEM, OK, OK]
