"""How the laboratory's own processes are started: by our interpreter, and never from the current folder."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def python(module: str, *arguments: object) -> list[str]:
    """Return the command that calls `main` of a module of ours with these arguments.

    Our folder comes last on its path, so that an installed caxton is the one that is tried.
    """
    program = f"import sys; sys.path.append({str(_ROOT)!r}); from faultlab.{module} import main; "
    return [sys.executable, "-P", "-c", program + "sys.exit(main(*sys.argv[1:]))", *map(str, arguments)]
