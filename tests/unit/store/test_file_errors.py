import errno
import os
from pathlib import Path

import pytest

from caxton.errors import StorageError, StorageFull, Timeout
from caxton.store.file_errors import acting_on

PATH = Path("/nowhere")


def raises(error):
    def act():
        raise error

    return lambda: acting_on(PATH, act)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/there"), StorageFull, "/there: No space left on device"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), StorageFull, "/nowhere: Disk quota exceeded"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), b"/there"), StorageError, "/there: Read-only file system"),
        (ValueError("embedded null byte"), StorageError, "/nowhere: embedded null byte"),
    ],
)
def test_what_the_system_says_names_the_file(error, kind, text):
    """The one that it is about, if the system says which, and there being no room is an error of its own."""
    with pytest.raises(StorageError) as told:
        raises(error)()
    assert type(told.value) is kind
    assert str(told.value).startswith(text)
    assert str(told.value).endswith("try again") is (kind is StorageFull)


def test_what_is_named_already_stays():
    """Errors of Caxton's that are Python's own too are what they were."""
    with pytest.raises(Timeout):
        raises(Timeout("x", 1.0))()
