"""MLflow's and optuna-dashboard's pages: one process on a port of its own that ends at once and leaves nothing."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from library import open_store
from library.framework.registry.artifacts import find_version
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.queries import read_run
from tests import browser, programs
from tests.http_client import Served

ROOT = Path(__file__).parents[3]
ANSWERS = {
    "ui": ("Runs and models (Model training) are on", "version", r"^3\."),
    "dashboard": ("Studies are on", "api/studies", "study_summaries"),
}


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "experiments", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=programs.environment(), text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@browser.needs_chromium
def test_a_browser_shows_runs_first_and_all_of_a_run_on_one_screen(
    sums_store: Path, served_sums: dict[str, Served]
) -> None:
    from playwright.sync_api import expect

    with open_store(sums_store):
        run = read_run(find_version("glyph-reader").run_id)
    port = find_free_port()
    with started("ui", f"--store={sums_store}", f"--port={port}") as process:
        assert process.stdout
        process.stdout.readline()
        with browser.opened(f"http://127.0.0.1:{port}", 1280) as page:
            page.get_by_role("link", name="glyph-reader").click()
            with page.expect_popup() as tab:
                page.get_by_role("link", name="Runs with their scores").click()
            runs = tab.value
            for column in ("val/accuracy", "stage"):
                expect(runs.get_by_role("columnheader", name=column).last).to_be_in_viewport(ratio=1)
            runs.get_by_role("link", name=run.name).click()
            scores = [str(run.metrics[name])[:6] for name in ("val/accuracy", "test/accuracy")]
            for text in (*scores, "Finished", "Tags", "command"):
                expect(runs.get_by_text(text).first).to_be_in_viewport(ratio=1)
            page.get_by_role("link", name="Model registry").click()
            expect(page.get_by_role("link", name="seq2seq-text-to-text")).to_be_visible()
        process.send_signal(signal.SIGINT)
        assert process.wait(2) == 130


@pytest.mark.slow
@pytest.mark.parametrize(("name", "end"), [("ui", signal.SIGTERM), ("dashboard", signal.SIGINT)])
def test_pages_are_one_process_that_prints_its_address_and_ends_with_one_line(
    name: str, end: signal.Signals, store_path: Path
) -> None:
    with open_store(store_path) as store:
        import optuna

        optuna.create_study(storage=store.studies_uri, study_name="a")
    printed, page, content = ANSWERS[name]
    port = find_free_port()
    with started(name, f"--store={store_path}", f"--port={port}") as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith(f"{printed} http://127.0.0.1:{port}/")
        with urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30) as answer:
            assert re.search(content, answer.read().decode())
        assert psutil.Process(process.pid).children() == []
        assert psutil.Process(process.pid).memory_info().rss < 700e6
        with started(name, f"--store={store_path}", f"--port={port}") as second:
            assert second.wait(30) == 2
            assert second.stderr
            assert f"port: got {port}, which " in second.stderr.read()
        process.send_signal(end)
        status = process.wait(10)
        assert process.stderr
        expected = {signal.SIGTERM: (143, ""), signal.SIGINT: (130, "interrupted: the pages are closed\n")}
        assert (status, process.stderr.read()) == expected[end]


@pytest.mark.slow
def test_a_terminated_make_ends_what_it_started(store_path: Path) -> None:
    port = find_free_port()
    called = [programs.MAKE, "--assume-old=.venv/.installed", "dashboard", f"STORE={store_path}", f"PORT={port}"]
    with subprocess.Popen(
        called, cwd=ROOT, env=programs.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as make:
        assert make.stdout
        assert make.stdout.readline().startswith("Studies are on ")
        started_by_it = psutil.Process(make.pid).children(recursive=True)
        make.terminate()
        gone, alive = psutil.wait_procs(started_by_it, timeout=30)
        assert (len(gone), alive) == (1, [])
