import os
import stat

import pytest

from caxton.directories import make_directory, own_directory
from caxton.errors import ConfigurationError


@pytest.fixture
def open_to_all():
    """A process whose umask takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_to_all")
def test_every_directory_that_is_made_is_its_owners_alone(tmp_path):
    """Whatever the umask, the directories above are closed to others like the one that was wanted; old ones stay."""
    (tmp_path / "old").mkdir(mode=0o755)
    own_directory(tmp_path / "old" / "a" / "b" / "c")
    own_directory(tmp_path / "old" / "a" / "b" / "c")

    modes = [stat.S_IMODE((tmp_path / "old" / path).stat().st_mode) for path in ("", "a", "a/b", "a/b/c")]
    assert modes == [0o755, 0o700, 0o700, 0o700]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_no_directory_of_ours(tmp_path, there):
    """A symbolic link in the place of a directory is refused, and what it points to is not touched, nor made."""
    if there:
        (tmp_path / "somebodys").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "somebodys")

    with pytest.raises(ConfigurationError, match="a symbolic link; name the directory itself"):
        own_directory(tmp_path / "link")
    assert (tmp_path / "somebodys").exists() == there


def test_a_file_is_no_directory(tmp_path):
    """A file in the place of a directory is refused by name."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="no directory"):
        own_directory(tmp_path / "file")


def test_what_cannot_be_made_is_an_error_of_the_system(tmp_path):
    """A directory below a file cannot be made."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_directory(tmp_path / "file" / "a" / "b")
