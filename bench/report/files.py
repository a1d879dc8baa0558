"""The files of a report: a page of Markdown with its plots beside it, and one page of HTML."""

from pathlib import Path

from bench.report.document import Document
from bench.report.markdown import markdown
from bench.report.page import page
from caxton.errors import ConfigurationError


def write(document: Document, folder: Path) -> list[Path]:
    """Write all files into the folder, over those of an older report, and return their paths.

    Raises ConfigurationError when the folder cannot be written.
    """
    files = {f"{name}.png": png for chapter in document.chapters for name, png in chapter.plots.items()}
    files |= {"report.md": markdown(document).encode(), "report.html": page(document).encode()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise ConfigurationError("--to", str(error), "name a folder that can be written") from None
    return [folder / name for name in sorted(files)]
