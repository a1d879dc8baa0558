import os
import shutil

import pytest

from caxton.config.settings import ServeSettings
from caxton.errors import ConfigurationError
from caxton.store.directory_lock import holder
from caxton.supervisor.premises.identity import FILE_NAME
from caxton.supervisor.premises.premises import Premises

LONG_AGO = 1_000_000


@pytest.fixture
def settings(short_dir):
    return ServeSettings(short_dir / "run", short_dir / "data", workers=1)


@pytest.fixture
def premises(settings):
    with Premises(settings) as entered:
        for path in entered.runtime_dir.needed(0) + entered.runtime_dir.needed(1):
            path.touch()
        yield entered


def test_what_can_be_is_put_back(premises, settings):
    """Locks, runtime.json and the identity are made again as they were, and nothing is wrong then."""
    paths = [settings.runtime_dir / "lock", settings.data_dir / "lock", settings.runtime_dir / "runtime.json"]
    paths.append(settings.data_dir / FILE_NAME)
    assert premises.inventory.look([1]) == []
    before = [holder(settings.runtime_dir), *(path.read_bytes() for path in paths)]
    for path in paths:
        path.unlink()

    assert premises.inventory.look([1]) == [str(path) for path in paths]
    assert [holder(settings.runtime_dir), *(path.read_bytes() for path in paths)] == before
    assert premises.inventory.look([1]) == []
    assert premises.inventory.problem is None


@pytest.mark.parametrize(("name", "remedy"), [("supervisor.calls", "serve again"), ("w-1.book", "caxton restart")])
def test_what_cannot_be_put_back_is_told(premises, name, remedy):
    """A socket or a book that is gone at two looks is named, with what to do, until it is there again."""
    (premises.runtime_dir.path / name).unlink()

    assert premises.inventory.look([1]) == []
    assert premises.inventory.problem is None
    premises.inventory.look([1])
    assert name in premises.inventory.problem
    assert remedy in premises.inventory.problem
    (premises.runtime_dir.path / name).touch()
    premises.inventory.look([1])
    assert premises.inventory.problem is None


def test_a_directory_that_is_gone_is_told(premises, settings):
    """Of a directory that was removed nothing is put back, and it is told; what comes in its place is left alone."""
    shutil.rmtree(settings.runtime_dir)

    assert premises.inventory.look([]) == []
    assert f"{settings.runtime_dir} was removed or replaced" in premises.inventory.problem
    with Premises(ServeSettings(settings.runtime_dir, settings.data_dir.with_name("other"))):
        (settings.runtime_dir / "w-1.book").touch()
        premises.__exit__(None, None, None)
        assert (settings.runtime_dir / "w-1.book").exists()


def test_what_is_ours_never_gets_old(premises, settings):
    """Everything in both directories is young after a touch, and says still when it was last written."""
    premises.modules.put_source(b"\0asm")
    everything = [settings.runtime_dir, settings.data_dir, *settings.runtime_dir.iterdir()]
    everything += [*settings.data_dir.iterdir(), *(settings.data_dir / "modules").iterdir()]
    for path in everything:
        os.utime(path, (LONG_AGO, LONG_AGO))

    premises.inventory.touch()

    assert len(everything) > 8
    assert all(path.stat().st_atime > LONG_AGO for path in everything)
    assert all(path.stat().st_mtime == LONG_AGO for path in everything)


def test_a_second_serve_is_not_let_in_without_the_file(premises, settings):
    """Nobody else enters directories whose lock files are gone."""
    (settings.runtime_dir / "lock").unlink()
    (settings.data_dir / "lock").unlink()

    with pytest.raises(ConfigurationError, match="in use"):
        Premises(settings).__enter__()
    others = ServeSettings(settings.runtime_dir.with_name("r2"), settings.data_dir)
    with pytest.raises(ConfigurationError, match="in use"):
        Premises(others).__enter__()
