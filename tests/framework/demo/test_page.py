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

import cv2
import numpy as np
import pytest

from library import open_store
from library.framework.registry.artifacts import find_version, folder_of
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.store import Store
from tests import browser, programs, versions
from tests.http_client import Served

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


@pytest.mark.slow
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
def demo(store: Path, **window: Any) -> Iterator[Any]:
    """The page of a store, in a browser as wide as a phone."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    port = find_free_port()
    command = [sys.executable, "-m", "experiments", "demo", f"--store={store}", f"--port={port}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=programs.environment(), text=True, **pipes) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"The demo is on http://127.0.0.1:{port}/ until Ctrl-C\n"
            with browser.opened(f"http://127.0.0.1:{port}", 400, **window) as page:
                yield page
                assert browser.overflow(page) <= 0
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert process.stderr
            assert process.stderr.read().splitlines()[-1:] == ["interrupted: the page is closed"]
        finally:
            process.kill()


def draw(page: Any, *strokes: Sequence[tuple[int, int]]) -> None:
    """Draws lines on the canvas with the mouse, between points in pixels from its corner."""
    corner = page.get_by_role("img", name="Draw a sum").bounding_box()
    for first, *others in strokes:
        page.mouse.move(corner["x"] + first[0], corner["y"] + first[1])
        page.mouse.down()
        for x, y in others:
            page.mouse.move(corner["x"] + x, corner["y"] + y)
        page.mouse.up()


def check_canvas(page: Any) -> None:
    """Strokes are counted, taken back and read; an empty canvas is a sentence."""
    from playwright.sync_api import expect

    read, count = page.get_by_role("button", name="Read"), "document.getElementById('sum').strokes.length"
    page.get_by_role("button", name="Clear").scroll_into_view_if_needed()
    read.click()
    expect(page.get_by_text("the canvas is empty: draw a sum on it")).to_be_visible()
    draw(page, [(40, 40), (40, 120)], [(80, 80), (120, 80)], [(100, 60), (100, 100)], [(160, 40), (160, 120)])
    assert page.evaluate(count) == 4
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"{count} == 3")
    read.click()
    # What was read depends on weights that know nothing.
    expect(page.get_by_text("the canvas is empty")).to_be_hidden()
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function(f"{count} == 0")


@pytest.mark.slow
@browser.needs_chromium
def test_a_sum_is_typed_drawn_or_photographed(sums_store: Path, served_sums: dict[str, Served], tmp_path: Path) -> None:
    from playwright.sync_api import expect

    [answer] = served_sums["seq2seq-text-to-text"].model.predict(["45+23"])
    (tmp_path / "no-image.png").write_text("no image")
    with demo(sums_store, color_scheme="dark") as page:
        expect(page.locator("body")).to_have_class("dark")
        query = page.get_by_label("Type a sum")
        query.press("ControlOrMeta+a")
        page.keyboard.type("45+23")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=f"45 + 23 = {answer}")).to_be_visible()
        expect(page.locator("img:visible")).to_have_count(1)  # the answer in several hands
        query.fill("45*23")
        page.get_by_role("button", name="Answer").click()
        expect(page.get_by_text("⚠️ query: got '45*23'")).to_be_visible()

        check_canvas(page)

        photo = page.locator("input[type=file]")
        photo.set_input_files(tmp_path / "no-image.png")
        expect(page.get_by_text("⚠️ the picture is no image")).to_be_visible()
        page.get_by_role("button", name="Clear").last.click()
        photo.set_input_files(ROOT / "docs" / "query.png")
        expect(page.locator("figure")).to_have_count(5)

        page.get_by_role("button", name="Versions").click()
        page.get_by_label("Version of seq2seq-text-to-text").click()
        page.get_by_role("option", name="version 1").click()
        query.fill("45+23")
        query.press("Enter")
        expect(page.get_by_role("heading", name=f"45 + 23 = {answer}")).to_be_visible()


def check_sliders(page: Any, image: Any) -> None:
    """Each control of samples and directions changes the picture."""
    from playwright.sync_api import expect

    def changes(act: Callable[[], object]) -> None:
        expect(image).to_be_visible()
        before = image.get_attribute("src") or ""
        act()
        expect(image).not_to_have_attribute("src", before)

    changes(lambda: page.get_by_role("slider", name="Seed").press("ArrowRight"))
    changes(lambda: page.get_by_role("slider", name="Temperature").press("Home"))
    changes(lambda: page.get_by_role("slider", name="Temperature").press("End"))
    changes(lambda: page.get_by_role("radio", name="prior", exact=True).click())
    page.get_by_role("tab", name="Directions").click()
    for name in ("component 1", "component 4", "fur", "ears", "yaw", "Which cat"):
        changes(lambda name=name: page.get_by_role("slider", name=name).press("End"))  # type: ignore[misc]


@pytest.mark.slow
@browser.needs_chromium
def test_cats_a_model_of_ones_own_and_a_study_while_it_runs(
    cats_store: Path, cats_outcomes: Any, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    with open_store(shutil.copytree(cats_store, tmp_path / "store")) as store:
        versions.three(store, tmp_path)
        next(folder_of(find_version("cats-gan")).rglob("*.keras")).write_bytes(b"")
    cat = tmp_path / "cat.png"
    assert cv2.imwrite(str(cat), np.random.default_rng(0).integers(0, 256, (90, 80, 3)).astype(np.uint8))
    study = subprocess.Popen([sys.executable, "-m", "tests.tiny", str(tmp_path / "store"), "3", "1"], cwd=ROOT)
    with study, demo(tmp_path / "store") as page:
        images = page.locator("img:visible")

        page.get_by_role("tab", name="Cats").click()
        expect(images).to_have_count(2)
        page.get_by_label("Model and version").click()
        page.get_by_role("option", name="cats-gan, Production").click()
        expect(page.get_by_text("'cats-gan' version 1: its files are not those that were registered")).to_be_visible()
        page.get_by_label("Model and version").click()
        page.get_by_role("option", name="cats-vae, Production").click()
        expect(images).to_have_count(2)
        check_sliders(page, images.first)
        page.get_by_role("tab", name="Your cat").click()
        blend = page.get_by_role("button", name="Reconstruct and interpolate")
        blend.click()
        expect(page.get_by_text("cat: nothing was given; upload an image")).to_be_visible()
        page.locator("input[type=file]").first.set_input_files(cat)
        expect(page.get_by_role("cell", name="cat.png")).to_be_visible()
        blend.click()
        expect(images).to_have_count(1)
        page.get_by_role("tab", name="tiny").click()
        page.get_by_role("button", name="Predict").click()
        expect(page.get_by_role("textbox", name="Output")).not_to_be_empty()
        page.get_by_role("tab", name="Studies").click()
        expect(page.get_by_text("3 finished trials of tiny, minimize val/loss; the best is trial")).to_be_visible()
        expect(page.get_by_label("Study")).to_have_value("tiny")
        for title in ("History", "Importance of parameters"):
            expect(page.get_by_text(title)).to_be_visible()
