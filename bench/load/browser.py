"""A browser at the dashboard: Debian's Chromium, driven by Playwright, signed in."""

import importlib.util
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from caxton.errors import ConfigurationError

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

# What the page itself counts: of the network, when something is first painted, and what its scripts keep.
_SEEN = """() => {
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    return {
        requests: loaded.length,
        bytes: loaded.reduce((sum, entry) => sum + entry.transferSize, 0),
        first_paint_ms: Math.round(paint.startTime),
        heap_bytes: performance.memory.usedJSHeapSize,
    };
}"""


def check_installed() -> None:
    """Raise ConfigurationError where there is no browser, or nothing that drives one."""
    if importlib.util.find_spec("playwright") is None:
        raise ConfigurationError("playwright", "it is not installed", "pip install '.[bench,test]'")
    if shutil.which("chromium") is None:
        raise ConfigurationError("chromium", "it is not installed", "scripts/system-packages installs it for root")


class Browser:
    """A browser that has signed in at a gateway, and has a page open only while `watching`.

    first: what was `seen` of its first visit, from the page that asks for a token to the overview.
    """

    def __init__(self, context: "BrowserContext", url: str) -> None:
        self._context = context
        self._url = url
        self.first: dict[str, Any] = {}

    @classmethod
    @asynccontextmanager
    async def signed_in(cls, url: str, token: str) -> AsyncIterator["Browser"]:
        """Start a browser without a window, and end it with the block."""
        from playwright.async_api import async_playwright  # noqa: PLC0415 (only this question needs it)

        async with async_playwright() as playwright:
            # Its own sandbox takes rights that root in a container has not; what it is shown here is ours.
            started = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"],
            )
            context = await started.new_context()
            browser = cls(context, url)
            page = await context.new_page()
            await page.goto(url)
            await page.get_by_label("Token").fill(token)
            await page.get_by_role("button", name="Sign in").click()
            await _ready(page)
            browser.first = await seen(page)
            await page.close()
            yield browser
            await started.close()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Page"]:
        """Have the overview open until the block ends."""
        page = await self._context.new_page()
        await page.goto(self._url)
        await _ready(page)
        try:
            yield page
        finally:
            await page.close()


async def seen(page: "Page") -> dict[str, Any]:
    """Return what a page has asked for until now, when it was first painted, and what its scripts keep."""
    told: dict[str, Any] = await page.evaluate(_SEEN)
    return told


async def _ready(page: "Page") -> None:
    await page.get_by_role("heading", name="Overview", exact=True, level=1).wait_for()
