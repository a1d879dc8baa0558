"""What is installed: Python, the packages that Caxton stands on, and the libraries in them."""

import os
import platform
import re
import sys
from importlib import metadata

from caxton.doctor.finding import Finding, ok, problem
from caxton.store.sqlite_version import SQLITE_VERSION
from caxton.transport.sockets import ZMQ_VERSION

# The oldest with everything that a shard's file is made of: tables without row ids.
LEAST_SQLITE = (3, 8, 2)
LEAST_PYTHON = (3, 11)
_ANEW = "install them anew: `pip install .` in a clone of Caxton"
_REQUIRED = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*$")
_BOUND = re.compile(r"(==|>=|<=|<|>|~=|!=)\s*([\w.*+!-]+)")
_COMPARED = {"==": lambda a, b: a == b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b}


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Judge the interpreter, and that the system is one of those that Caxton runs on."""
    name, found = "python", f"{platform.python_implementation()} {'.'.join(map(str, version))} on {sys.platform}"
    if version < LEAST_PYTHON or platform.python_implementation() != "CPython":
        return problem(name, found, "use CPython 3.11 or later")
    if not hasattr(os, "pidfd_open"):
        return problem(name, found, "Caxton runs on Linux 5.3 or later")
    return ok(name, found)


def sqlite(version: str = SQLITE_VERSION) -> Finding:
    """Judge the SQLite that this Python has."""
    if _numbers(version) < LEAST_SQLITE:
        return problem("sqlite", version, f"use a Python whose SQLite is {'.'.join(map(str, LEAST_SQLITE))} or later")
    return ok("sqlite", version)


def zmq() -> Finding:
    """Tell the ZeroMQ in pyzmq."""
    return ok("zmq", ZMQ_VERSION)


def packages(required: list[str] | None = None) -> Finding:
    """Judge whether what is installed is what this version of Caxton was made with."""
    name, wrong, seen = "packages", [], []
    try:
        wanted = metadata.requires("caxton") or [] if required is None else required
    except metadata.PackageNotFoundError:
        return problem(name, "caxton itself is not installed, as far as Python knows", _ANEW)
    for line in wanted:
        requirement, _, marker = line.partition(";")
        found = _REQUIRED.match(requirement.strip())
        if "extra" in marker or found is None:
            continue
        package, bounds = found[1], found[2].strip()
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            wrong.append(f"{package} is not installed, and {bounds} is wanted")
            continue
        seen.append(f"{package} {version}")
        if not fits(version, bounds):
            wrong.append(f"{package} is {version}, and {bounds} is wanted")
    if wrong:
        return problem(name, "; ".join(wrong), _ANEW)
    return ok(name, ", ".join(seen))


def fits(version: str, bounds: str) -> bool:
    """Whether a version is within bounds such as ">=1.3,<2"; of what is no plain number only the numbers count."""
    own = _numbers(version)
    return all(_COMPARED[how](own, _numbers(bound)) for how, bound in _BOUND.findall(bounds) if how in _COMPARED)


def _numbers(version: str) -> tuple[int, ...]:
    found = tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
    return found + (0,) * (3 - len(found))
