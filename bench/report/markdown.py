"""A report as a page of Markdown, with its plots as files beside it."""

from collections.abc import Iterator, Sequence

from bench.report.document import Chapter, Document
from bench.report.tables import Table


def markdown(document: Document) -> str:
    """Return the whole page."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield "# What the bench measured"
    yield ""
    yield "Made by `python -m bench report`. Compare ratios, and figures of one machine."
    yield ""
    yield "## Figures to reach"
    yield ""
    yield f"{document.summary}."
    yield ""
    yield from _table(document.goals)
    if document.missing:
        yield "Results that are missing, and what makes them:"
        yield ""
        yield from (f"- `{command}`" for command in document.missing)
        yield ""
    for chapter in document.chapters:
        yield from _chapter(chapter)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"## {chapter.title}"
    yield ""
    yield chapter.says
    yield ""
    for shown in chapter.results:
        yield shown.origin
        yield ""
        for table in shown.tables:
            yield from _table(table)
    for name in chapter.plots:
        yield f"![{chapter.title}: {name}]({name}.png)"
        yield ""


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"*{table.caption}*"
        yield ""
    yield _row(table.columns)
    yield "|---" * len(table.columns) + "|"
    yield from (_row(row) for row in table.rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
