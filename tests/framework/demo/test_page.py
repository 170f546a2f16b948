"""The demo's page in a browser: tabs answer, nothing is loaded from another host; bad input is one line."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from library import open_store
from library.framework.registry.artifacts import find_version, folder_of
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.store import Store
from tests import programs, versions

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[3]
PAGE = """
import sys
from library import open_store
from library.framework.demo import page
from library.framework.discovery import find_tabs
with open_store(sys.argv[1]) as store:
    print([one["props"].get("value") for one in page.build(store, find_tabs()).get_config_file()["components"]])
"""
"""Prints the texts of a page; in a process of its own, as Gradio leaves sockets open."""


def test_bad_ports_and_stores_are_one_line(refused: Callable[[Sequence[str]], str], tmp_path: Path) -> None:
    assert "there is none; train or tune first" in refused(
        ["demo", f"--store={tmp_path}", f"--port={find_free_port()}"]
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port: got {port}, which " in refused(["demo", f"--store={tmp_path}", f"--port={port}"])


def test_without_models_the_commands_that_train_them_are_named(store_path: Path) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed", exc_type=ImportError)
    given = {"cwd": ROOT, "env": programs.environment(), "check": True, "text": True, "stdout": subprocess.PIPE}
    page = subprocess.run([sys.executable, "-c", PAGE, str(store_path)], **given).stdout
    for modality in ("text-to-text", "image-to-text", "text-to-image"):
        assert f"There is no {modality} model yet: `" in page
    assert re.search("There is no model of cats yet: `.*train.vae` trains one", page)


def test_stages_are_offered_before_versions(three: Store) -> None:
    from library.framework.demo.models import Models

    assert Models().names() == ["tiny"]
    assert Models().choices("tiny") == ["Production", "Archived", "version 3", "version 2", "version 1"]


@contextmanager
def demo(store: Path) -> Iterator[Any]:
    """The page of a store in a browser that records requests to other hosts, as `page.others`."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=120_000)
    port = find_free_port()
    command = [sys.executable, "-m", "experiments", "demo", f"--store={store}", f"--port={port}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=programs.environment(), text=True, **pipes) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"The demo is on http://127.0.0.1:{port}/ until Ctrl-C\n"
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 400, "height": 800})
                addresses: list[str] = []
                page.on("request", lambda request: addresses.append(request.url))
                page.goto(f"http://127.0.0.1:{port}")
                yield page
                own = (f"http://127.0.0.1:{port}", "data:", "blob:")
                assert [one for one in addresses if not one.startswith(own)] == []
                assert page.evaluate("document.documentElement.scrollWidth") <= 400
                browser.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert process.stderr
            assert process.stderr.read().splitlines()[-1:] == ["interrupted: the page is closed"]
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_cats_a_model_of_ones_own_and_a_study_while_it_runs(
    cats_store: Path, cats_outcomes: Any, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    with open_store(shutil.copytree(cats_store, tmp_path / "store")) as store:
        versions.three(store, tmp_path)
        next(folder_of(find_version("cats-gan")).rglob("*.keras")).write_bytes(b"")
    study = subprocess.Popen([sys.executable, "-m", "tests.tiny", str(tmp_path / "store"), "3", "1"], cwd=ROOT)
    with study, demo(tmp_path / "store") as page:
        page.get_by_role("tab", name="Cats").click()
        images = page.locator("img:visible")
        expect(images).to_have_count(2)
        page.get_by_label("Model and version").click()
        page.get_by_role("option", name="cats-gan, Production").click()
        expect(page.get_by_text("'cats-gan' version 1: its files are not those that were registered")).to_be_visible()
        page.get_by_label("Model and version").click()
        page.get_by_role("option", name="cats-vae, Production").click()
        expect(images).to_have_count(2)
        first = images.first.get_attribute("src") or ""
        page.get_by_role("slider", name="Seed").press("ArrowRight")
        expect(images.first).not_to_have_attribute("src", first)
        page.get_by_role("tab", name="Your cat").click()
        page.get_by_role("button", name="Reconstruct and interpolate").click()
        expect(page.get_by_text("cat: nothing was given; upload an image")).to_be_visible()
        page.get_by_role("tab", name="tiny").click()
        page.get_by_role("button", name="Predict").click()
        expect(page.get_by_role("textbox", name="Output")).not_to_be_empty()
        page.get_by_role("tab", name="Studies").click()
        expect(page.get_by_text("3 finished trials of tiny, minimize val/loss; the best is trial")).to_be_visible()
