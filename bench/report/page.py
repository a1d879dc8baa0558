"""A report as one page of HTML that needs nothing else: its plots are in it."""

import base64
import re
from collections.abc import Iterator
from html import escape

from bench.report.document import Chapter, Document
from bench.report.goals import Outcome
from bench.report.tables import Table

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --paper: #fdfdfb; --faint: #5b646d; --line: #d9dde1; --band: #f2f4f6;
  --met: #1c6b3c; --missed: #a3262a; --open: #7a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --paper: #14181c; --faint: #a0a9b2; --line: #333b43;
  --band: #1c2228; --met: #6fcf97; --missed: #ff8a85; --open: #e3bd5b; } }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 68rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
nav a { margin-right: 1rem; } a { color: inherit; }
.origin { color: var(--faint); font-size: .9rem; margin: 1.6rem 0 .4rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; margin: .4rem 0 1.2rem; }
caption { text-align: left; color: var(--faint); padding: .3rem 0; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; }
th { background: var(--band); } td.number { text-align: right; white-space: nowrap; }
code { font-size: .92em; background: var(--band); padding: .08rem .3rem; border-radius: 3px; }
.met { color: var(--met); font-weight: 600; } .missed { color: var(--missed); font-weight: 600; }
.not-measured { color: var(--open); }
img { display: block; max-width: 100%; height: auto; margin: 1rem 0; padding: .6rem; background: #fff;
  border-radius: 6px; }
"""
_NUMBER = re.compile(r"-|[≤≥]?\s?-?[\d,.]+(e[+-]?\d+)?( µs|/s)?")
_OUTCOMES = {outcome.value for outcome in Outcome}


def page(document: Document) -> str:
    """Return the whole page."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>What the bench measured</title><style>{_STYLE}</style></head><body>"
    yield "<h1>What the bench measured</h1>"
    links = (f'<a href="#{_anchor(chapter)}">{escape(chapter.title)}</a>' for chapter in document.chapters)
    yield f"<nav>{' '.join(links)}</nav>"
    yield "<h2>Figures to reach</h2>"
    yield f"<p>{escape(document.summary)}. Compare ratios, and figures of one machine.</p>"
    yield from _table(document.goals)
    if document.missing:
        items = "".join(f"<li><code>{escape(command)}</code></li>" for command in document.missing)
        yield f"<p>Results that are missing, and what makes them:</p><ul>{items}</ul>"
    for chapter in document.chapters:
        yield from _chapter(chapter)
    yield "</body></html>"


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f'<h2 id="{_anchor(chapter)}">{escape(chapter.title)}</h2><p>{escape(chapter.says)}</p>'
    for shown in chapter.results:
        yield f'<p class="origin">{_text(shown.origin)}</p>'
        for table in shown.tables:
            yield from _table(table)
    for name, png in chapter.plots.items():
        source = base64.b64encode(png).decode()
        yield f'<img alt="{escape(chapter.title)}: {escape(name)}" src="data:image/png;base64,{source}">'


def _table(table: Table) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    if table.caption:
        yield f"<caption>{escape(table.caption)}</caption>"
    yield f"<tr>{''.join(f'<th>{escape(column)}</th>' for column in table.columns)}</tr>"
    for row in table.rows:
        yield f"<tr>{''.join(f'<td{_class(cell)}>{_text(cell)}</td>' for cell in row)}</tr>"
    yield "</table></div>"


def _class(cell: str) -> str:
    if cell in _OUTCOMES:
        return f' class="{cell.replace(" ", "-")}"'
    return ' class="number"' if _NUMBER.fullmatch(cell) else ""


def _text(text: str) -> str:
    """Escape a text; what stands between backquotes is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _anchor(chapter: Chapter) -> str:
    return chapter.title.lower().replace(" ", "-")
