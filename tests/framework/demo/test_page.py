"""The demo's page in a browser: tabs answer, nothing is loaded from another host; bad input is one line."""

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

from library.framework.serving.sockets import find_free_port
from tests import programs

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[3]


def test_bad_ports_and_stores_are_one_line(refused: Callable[[Sequence[str]], str], tmp_path: Path) -> None:
    assert "there is none; train or tune first" in refused(
        ["demo", f"--store={tmp_path}", f"--port={find_free_port()}"]
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port: got {port}, which " in refused(["demo", f"--store={tmp_path}", f"--port={port}"])


@contextmanager
def demo(store: Path) -> Iterator[Any]:
    """The page of a store in a browser that records requests to other hosts, as `page.others`."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
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
def test_a_page_without_models_names_the_commands_that_train_them(store_path: Path) -> None:
    from playwright.sync_api import expect

    with demo(store_path) as page:
        for modality in ("text-to-text", "image-to-text", "text-to-image"):
            expect(page.get_by_text(f"There is no {modality} model yet")).to_be_visible()
        page.get_by_role("tab", name="Cats").click()
        expect(page.get_by_text("make train-vae")).to_be_visible()
        page.get_by_role("tab", name="Studies").click()
        expect(page.get_by_text("There is no study with a finished trial yet")).to_be_visible()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_model_of_an_experiment_of_ones_own_has_a_tab_that_answers(three_path: Path) -> None:
    from playwright.sync_api import expect

    from library import open_store
    from library.framework.demo.models import Models

    with open_store(three_path):
        [name] = Models().names()
        assert Models().choices(name) == ["Production", "Archived", "version 3", "version 2", "version 1"]
    with demo(three_path) as page:
        page.get_by_role("tab", name=name).click()
        page.get_by_role("button", name="Predict").click()
        expect(page.get_by_role("textbox", name="Output")).not_to_be_empty()
