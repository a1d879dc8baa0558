"""`caxton serve`, with every option of it, whose workers are under watch (`faultlab.worker`)."""

import importlib
import sys
from functools import partial

from caxton.cli.main import main as caxton
from caxton.supervisor.supervisor import Supervisor
from faultlab.commands import python


def main(work: str, deadly: str, *options: str) -> None:
    """Serve. work, deadly: as in `faultlab.worker`."""
    command = importlib.import_module("caxton.cli.commands.serve")
    command.Supervisor = partial(Supervisor, worker_command=python("worker", work, deadly))  # type: ignore[attr-defined]
    sys.argv = ["caxton", "serve", "-o", "json", *options]
    caxton()
