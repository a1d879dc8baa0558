"""What mkdocs calls while it builds the site, see mkdocs.yml; `site_pages` says what comes of it."""

from typing import Any

import site_pages
from mkdocs.structure.files import File

_PLACES = {site_pages.uri(place): place for place in site_pages.pages()}


def on_config(config: Any) -> Any:
    """Put the pages of a folder where the navigation names the folder."""
    config.nav = site_pages.navigation(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are no files of docs."""
    texts = site_pages.pages()
    made = {uri: texts[place] for place, uri in site_pages.ELSEWHERE.items()} | site_pages.sources(texts)
    records = [place.removeprefix("docs/adr/") for place in texts if place.startswith("docs/adr/")]
    made[site_pages.DECISIONS] = site_pages.decisions(records)
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Have the links of a page lead to where the site has what they name."""
    place = _PLACES.get(page.file.src_uri)
    return site_pages.relinked(markdown, place) if place else markdown
