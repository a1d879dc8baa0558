"""What the site has beyond the pages of docs: pages of other folders, a list of the decisions, and linked sources."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "bench/README.md": "bench.md",
    "caxton/guests/README.md": "guests.md",
}
DECISIONS = "adr/index.md"
LINK = re.compile(r"(\[[^\]]*\]\()([^)\s]+)(\))")
LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".toml": "toml", ".wat": "wat"}
_STATUS = re.compile(r"^Date: (\S+)\. Status: (.+?)\.?\n\n", re.MULTILINE | re.DOTALL)


def uri(path: str) -> str:
    """Return where the site has a file of the project; whatever is no page of its own is a source to read."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path == "docs/adr":
        return DECISIONS
    return path.removeprefix("docs/") if path.startswith("docs/") else f"source/{path}.md"


def targets(text: str, place: str) -> list[str]:
    """Return the files of the project that a page at `place` links to."""
    return [_path(target, place) for _, target, _ in LINK.findall(text) if _is_relative(target)]


def relinked(text: str, place: str) -> str:
    """Return a page of the project with its links as the site has them."""
    folder = posixpath.dirname(uri(place)) or "."

    def anew(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if not _is_relative(target):
            return match[0]
        _, mark, anchor = target.partition("#")
        return f"{before}{posixpath.relpath(uri(_path(target, place)), folder)}{mark}{anchor}{after}"

    return LINK.sub(anew, text)


def pages() -> dict[str, str]:
    """Return the text of every page that is a file, by its path in the project."""
    paths = [*ELSEWHERE, *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")))]
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in paths}


def sources(texts: dict[str, str]) -> dict[str, str]:
    """Return a page for each source that the pages link to, by its place in the site."""
    linked = {path for place, text in texts.items() for path in targets(text, place)}
    files = sorted(path for path in linked if uri(path).startswith("source/") and (ROOT / path).is_file())
    return {uri(path): _listing(path) for path in files}


def decisions(records: Iterable[str]) -> str:
    """Return the list of decisions, from the names of their files."""
    rows = []
    for name in sorted(records):
        text = (ROOT / "docs/adr" / name).read_text(encoding="utf-8")
        found = _STATUS.search(text)
        date, status = found.groups() if found else ("", "")
        rows.append(f"| [{_title(text)}]({name}) | {date} | {' '.join(status.split())} |\n")
    return f"# Decisions\n\n| decision | date | status |\n|---|---|---|\n{''.join(rows)}"


def navigation(entries: Sequence[Any]) -> list[Any]:
    """Return what mkdocs.yml says, with a folder's pages in place of its name."""
    full: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            full += [{title: navigation(below) if isinstance(below, list) else below} for title, below in entry.items()]
        elif entry.endswith("/"):
            full += [f"{entry}{path.name}" for path in sorted((ROOT / "docs" / entry).glob("*.md"))]
        else:
            full.append(entry)
    return full


def _is_relative(target: str) -> bool:
    return not re.match(r"[a-z]+:|#", target)


def _path(target: str, place: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), target.partition("#")[0]))


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


def _listing(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    head = "---\nsearch:\n  exclude: true\n---\n"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=2))
    return f"{head}# {path}\n\n{fence}{LANGUAGES.get(Path(path).suffix, 'text')}\n{text.rstrip()}\n{fence}\n"
