"""The baseline on disk: the ratios that the runtime is held to, and where they were measured."""

from pathlib import Path
from typing import Any

import msgspec
import orjson

from bench.comparison import HeldRatio
from caxton.errors import ConfigurationError

ABOUT = (
    "What `python -m bench check` holds the runtime to: ratios within one run, never absolute times. "
    "A ratio is broken when it is worse than its value by more than its tolerance, a share of the value. "
    "How the tolerances were chosen is in bench/README.md."
)


class Baseline(msgspec.Struct, forbid_unknown_fields=True):
    """command: what measured the ratios. machine: as every result describes it, with date and commit."""

    command: str
    machine: dict[str, str | int]
    ratios: list[HeldRatio]
    about: str = ABOUT

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """Read a baseline. Raises ConfigurationError when there is none, or it is not one."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            problem, remedy = f"{path} is not there", "name a baseline, or make this one with --update"
        except OSError as error:
            problem, remedy = f"{path} cannot be read: {error.strerror}", "name a file that can"
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            problem, remedy = f"{path} is no baseline: {error}", "make it again with --update"
        raise ConfigurationError("--against", problem, remedy)

    def write(self, path: Path) -> None:
        """Write it so that a difference between two can be read. Raises ConfigurationError if that cannot be."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        first = {"about": fields.pop("about")}
        try:
            path.write_bytes(orjson.dumps(first | fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            problem = f"{path} cannot be written: {error.strerror}"
            raise ConfigurationError("--against", problem, "name a file that can") from None
