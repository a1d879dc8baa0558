"""Which version of wasmtime is inside: what the library says of itself, because its wheel may say another."""

import hashlib
import mmap
import re
from pathlib import Path

from wasmtime import _ffi as ffi

LIBRARY = Path(ffi.dll._name)  # noqa: SLF001 # the library's path has no public name

# From the text that wasmtime prints when it finds a bug in itself.
_SAID = re.compile(rb"\nversion: (\d+\.\d+\.\d+)\n\nThis is a bug in Wasmtime")


def engine_version(library: Path = LIBRARY) -> str:
    """Return the version of the engine, as `50.0.0`; or, of a library that does not say it, a hash of the file."""
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        said = _SAID.search(content)
        return said[1].decode() if said else hashlib.blake2b(content, digest_size=16).hexdigest()
