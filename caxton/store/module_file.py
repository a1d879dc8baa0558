"""The file of a module that is to be deployed, as whoever deploys it names it: nothing that it may be holds him up."""

import os
from pathlib import Path

from caxton.agents.limits import MAX_MODULE
from caxton.errors import ValidationError
from caxton.store.regular_file import NotRegularFileError, opened


def read_module(path: Path) -> bytes:
    """Return what is in a file, which need be no module; of a link, in what it leads to.

    Raises ValidationError for what is no regular file, cannot be read, or is longer than a module may be: of that no
    more is read than one byte beyond.
    """
    try:
        with opened(Path(os.path.realpath(path))) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
            is_short = os.fstat(descriptor).st_size <= MAX_MODULE
            # Nothing where it has to be waited for: some files of /proc say that they are regular.
            wasm = (file.read(MAX_MODULE + 1) or b"") if is_short else b""
    except NotRegularFileError:
        raise ValidationError("wasm", "not a regular file") from None
    except (OSError, ValueError) as error:  # a path with a NUL in it names nothing
        raise ValidationError("wasm", str(getattr(error, "strerror", error))) from None
    if not is_short or len(wasm) > MAX_MODULE:
        raise ValidationError("wasm", f"longer than the {MAX_MODULE:,} bytes that a module may have")
    return wasm
