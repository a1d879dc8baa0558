"""What holds where neither a flag nor the environment says anything: the file, then the preset, and where each is said.

Flags and the environment are the command line's own to read, before and above these.
"""

from pathlib import Path
from typing import Any, NamedTuple

from caxton.config.file import read_config
from caxton.config.keys import BY_PATH, MisfitError
from caxton.config.presets import PRESETS
from caxton.errors import ConfigurationError


class Found(NamedTuple):
    """A value, and where it comes from: a `source` of file or preset, and the place there."""

    value: Any
    source: str
    place: str


def layered(path: Path | None, preset: str | None) -> dict[str, Found]:
    """Return what a file and a preset say, by parameter of `caxton serve`; the file goes first.

    preset: the one that was asked for; None for the file's, if it names one. Raises ConfigurationError.
    """
    if preset is not None:
        try:
            BY_PATH["preset"].read(preset)
        except MisfitError as error:
            raise ConfigurationError("--preset", error.problem, error.remedy) from None
    found: dict[str, Found] = {}
    if path is not None:
        file = read_config(path)
        file.check()
        found = {name: Found(value, "file", f"{path}:{file.lines[name]}") for name, value in file.values.items()}
    name = preset or (found["preset"].value if "preset" in found else None)
    of_preset = PRESETS[name] if name is not None else {}
    return {parameter: Found(value, "preset", str(name)) for parameter, value in of_preset.items()} | found
