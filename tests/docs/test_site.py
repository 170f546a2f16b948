"""The documentation site: every link leads somewhere, nothing is loaded from elsewhere, and the search works."""

import functools
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

import library
from tests import browser, programs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCES = ["Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "zensical.toml", "docs", "library"]
LOADED = ("img", "link", "script", "source", "iframe")
"""Elements whose address the browser loads by itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` builds."""
    folder = tmp_path_factory.mktemp("repository")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    command = [programs.MAKE, "--assume-old=.venv/.installed", "docs"]
    done = subprocess.run(command, cwd=folder, env=programs.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stderr
    return folder / "site"


class Page(HTMLParser):
    """The anchors of a page, and the elements that lead or load something."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.anchors |= {value for name, value in attrs if name in ("id", "name") and value}
        self.links += [(tag, value) for name, value in attrs if name in ("href", "src") and value is not None]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """All but the one for addresses that do not exist, whose links begin at the server's root."""
    return {file: Page(file) for file in site.rglob("*.html") if file.name != "404.html"}


def test_every_link_and_anchor_exists(pages: dict[Path, Page]) -> None:
    broken, checked = [], 0
    for file, page in pages.items():
        for _, link in page.links:
            address, anchor = urldefrag(urljoin(file.as_uri(), link))
            if urlparse(address).scheme != "file":
                continue
            checked += 1
            target = Path(unquote(urlparse(address).path))
            found = target.is_file() and (not anchor or target not in pages or unquote(anchor) in pages[target].anchors)
            broken += [] if found else [(file.name, link)]
    assert broken == []
    assert checked > 1000


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    loaded = {link for page in pages.values() for tag, link in page.links if tag in LOADED}
    assert {link for link in loaded if urlparse(link).scheme or link.startswith("//")} == set()


def test_every_page_of_the_repository_and_every_public_name_is_there(site: Path, pages: dict[Path, Page]) -> None:
    names = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in (site / "docs").glob("*.html")} == names
    start = {link for _, link in pages[site / "index.html"].links}
    assert {name for name in names if f"docs/{name}.html" not in start} == set()
    reference = pages[site / "reference" / "library" / "index.html"].anchors
    assert {name for name in library.__all__ if f"library.{name}" not in reference} == {"Field"}  # pydantic's


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The site on a server of this process."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.slow
@browser.needs_chromium
@pytest.mark.parametrize("width", [1280, 400])
def test_a_search_finds_its_page(address: str, width: int) -> None:
    from playwright.sync_api import expect

    with browser.opened(address, width) as page:
        page.locator(".md-search__button, .md-header label[for=__search]").locator("visible=true").first.click()
        page.get_by_role("combobox", name="Search").fill("McNemar")
        page.get_by_role("option", name="A comparison").click()
        expect(page.get_by_text("McNemar")).to_be_visible()


@pytest.mark.slow
@browser.needs_chromium
def test_nothing_overflows_a_narrow_screen(address: str, site: Path, pages: dict[Path, Page]) -> None:
    with browser.opened(address, 400) as page:
        for file in pages:
            page.goto(address + file.relative_to(site).as_posix())
            assert browser.overflow(page) <= 0, file.name
