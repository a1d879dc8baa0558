"""Writes docs/limits.md, the account of everything kept: `python docs/limits_page.py`.

It comes from docs/limits.toml and the values in the code. A test holds the page to both, and the account to the code.
"""

import importlib
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("limits.md")
ACCOUNT = Path(__file__).with_name("limits.toml")
HEAD = """# Limits

Everything that a runtime keeps for others, with its bound: `python docs/limits_page.py` writes this page from
`docs/limits.toml` and the values in the code, and tests hold all three together. What nothing sets is fixed.
Counters and gauges are those of `caxton stats`, reasons those of `caxton health` ([operating.md](operating.md)),
errors those of `caxton.errors` ([api.md](api.md)).

The test at its edge fails without the limit: `scripts/limits` turns each of them off in a copy of the code, one at a
time, and says of each whether its test noticed. Several tests of a row are in the order of its numbers; what an option
sets comes last.
"""
KIB, MIB = 1 << 10, 1 << 20


def account() -> dict[str, Any]:
    """Return what docs/limits.toml says."""
    return tomllib.loads(ACCOUNT.read_text(encoding="utf-8"))


def value_of(bound: str) -> int:
    """Return the value of a constant, as `module.NAME`, or of a key of it; of a pair of least and most the most."""
    module, _, name = bound.rpartition(".")
    key = ""
    if name.islower():
        (module, _, name), key = module.rpartition("."), name
    value = getattr(importlib.import_module(module), name)
    value = value[key] if key else value
    return int(value[1] if isinstance(value, tuple) else value)


def tests_of(entry: dict[str, Any]) -> list[str]:
    """Return the tests of an entry: one for all that it bounds, or one for each of them, in their order."""
    return [entry["test"]] if isinstance(entry["test"], str) else list(entry["test"])


def page(entries: list[dict[str, Any]]) -> str:
    """Return the whole page."""
    parts = [HEAD]
    for part, some in groupby(entries, key=lambda entry: entry["part"]):
        rows = "\n".join(f"| {' | '.join(_row(entry))} |" for entry in some)
        parts.append(
            f"\n## {part}\n\n| what | whose | at most | set by | beyond it | shown by | test at its edge |\n"
            f"|---|---|---|---|---|---|---|\n{rows}\n"
        )
    gaps = "\n".join(f"- {entry['what']}: {entry['gap']}" for entry in entries if "gap" in entry)
    parts.append(f"\n## What is missing\n\n{gaps or 'Nothing that anybody knows of.'}\n")
    return "".join(parts)


def _row(entry: dict[str, Any]) -> list[str]:
    beyond = [f"`{entry[key]}`" for key in ("error", "counter") if key in entry]
    beyond += [entry["beyond"]] if "beyond" in entry else []
    shown = [f"`{entry[key]}`" for key in ("gauge", "reason") if key in entry]
    what = entry["what"] + (f". {entry['note']}" if "note" in entry else "")
    bounds = ", ".join(_shown(bound) for bound in entry["bounds"])
    return [
        what,
        entry["whose"],
        bounds,
        entry.get("set", ""),
        ", ".join(beyond),
        ", ".join(shown),
        ", ".join(map(_link, dict.fromkeys(tests_of(entry)))),
    ]


def _link(test: str) -> str:
    place, _, name = test.partition("::")
    return f"[{name}](../{place})"


def _shown(bound: str) -> str:
    constant, _, unit = bound.partition(" ")
    value = value_of(constant)
    if unit != "bytes":
        return f"{value:,} {unit}"
    for size, name in ((MIB, "MiB"), (KIB, "KiB")):
        if value >= size and value % size == 0:
            return f"{value // size:,} {name}"
    return f"{value:,} bytes"


if __name__ == "__main__":
    PAGE.write_text(page(account()["kept"]), encoding="utf-8")
