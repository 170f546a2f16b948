"""Chromium for tests, which are skipped where there is none; a page may load from this machine only."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LOCAL = ("http://127.0.0.1:", "file:", "data:", "blob:")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@contextmanager
def opened(address: str | Path, width: int, color_scheme: str = "light") -> Iterator[Any]:
    """An address or a file in a window of a width in pixels."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=color_scheme)
            requested: list[str] = []
            page.context.on("request", lambda request: requested.append(request.url))
            page.goto(address.as_uri() if isinstance(address, Path) else address)
            yield page
            assert [one for one in requested if not one.startswith(LOCAL)] == []
        finally:
            browser.close()


def overflow(page: Any) -> int:
    """By how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
