"""The file that says for whom a session acts, beside its book: there before the session is, and gone with it.

It is worth nothing by itself: the mark of the session's frames is made for this principal, by the supervisor alone.
"""

import os
from contextlib import suppress
from pathlib import Path

from caxton.acl.envelope import MAX_PRINCIPAL
from caxton.store.regular_file import opened


def write_claim(path: Path, principal: str) -> None:
    """Write for whom a session acts, before it is told its number; raises OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(principal.encode())


def read_claim(path: Path) -> str:
    """Return for whom a session acts, "" where nothing says so that can be read."""
    with suppress(OSError, UnicodeDecodeError), opened(path) as descriptor:
        return os.read(descriptor, 4 * MAX_PRINCIPAL).decode()
    return ""
