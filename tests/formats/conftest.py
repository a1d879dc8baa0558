"""Bytes that were written once and are kept, so that whatever comes later reads them.

`tests/data/formats/records.json` has every kind of record, `tests/data/formats/directory-N` data directories: each of
them as some version of the code wrote it, the newest last. What is kept is never changed.
"""

import json
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[1] / "data" / "formats"
RECORDS = KEPT / "records.json"
HOW_TO_KEEP = (
    "What is written has changed. Older releases have to be able to read it, or refuse it by name: append fields that "
    "have defaults. If they are, give the newest sample what is new (a later one, when the older bytes read as the "
    "older sample), run `python -m pytest tests/formats --keep-formats`, and commit what that adds beside what is kept."
)


class Records:
    """What is kept of every kind. A kind is how it is written, how it is read, and values of it, the newest last."""

    def __init__(self, *, may_add):
        self._may_add = may_add

    def of(self, name):
        """Return the numbers of samples and the bytes of each, the oldest first."""
        return [(one["sample"], bytes.fromhex(one["bytes"])) for one in self._all().get(name, [])]

    def names(self):
        return set(self._all())

    def check_read(self, name, kind):
        _, read, samples = kind
        for sample, kept in self.of(name):
            assert read(kept) == samples[sample]

    def check_written(self, name, kind):
        write, _, samples = kind
        last = len(samples) - 1
        now = last, bytes(write(samples[last]))
        newest = ([None, *self.of(name)])[-1]
        if newest != now and self._may_add:
            self._add(name, {"sample": last, "bytes": now[1].hex()})
        else:
            assert newest == now, HOW_TO_KEEP

    def _all(self):
        return json.loads(RECORDS.read_text()) if RECORDS.exists() else {}

    def _add(self, name, one):
        everything = self._all()
        everything.setdefault(name, []).append(one)
        RECORDS.write_text(json.dumps(dict(sorted(everything.items())), indent=1) + "\n")


@pytest.fixture(scope="session")
def may_keep(request):
    """Whether new versions of what is written are to be kept."""
    return request.config.getoption("--keep-formats")


@pytest.fixture(scope="session")
def how_to_keep():
    """What to do when the code writes something else than before."""
    return HOW_TO_KEEP


@pytest.fixture(scope="session")
def records(may_keep):
    """The records that are kept."""
    return Records(may_add=may_keep)


@pytest.fixture(scope="session")
def kept_directories():
    """The data directories that are kept, the oldest first."""
    return sorted(KEPT.glob("directory-*"), key=lambda path: int(path.name.partition("-")[2]))


@pytest.fixture(scope="session")
def kept_directory():
    """Where the data directory of a version is kept."""
    return lambda version: KEPT / f"directory-{version}"


@pytest.fixture(scope="session")
def kept_module():
    """The module of the agents in these directories: it counts its turns in its state."""
    return (KEPT / "counts.wasm").read_bytes()
