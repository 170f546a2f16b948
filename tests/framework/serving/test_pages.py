"""MLflow's and optuna-dashboard's pages: one process on a port of its own that ends at once and leaves nothing."""

import re
import shutil
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
from library.framework import environment
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.mlflow_run import start_run
from tests import programs

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
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
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_browser_shows_runs_first_and_all_of_a_run_on_one_screen(store_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with open_store(store_path) as store:
        fields = {f"field_{n}": n / 7 for n in range(12)}
        tags = {"command": environment.command("train", "tiny", fields), "stage": "Production"}
        with start_run(store, "tests", "a run", tags=tags, about="What it is.") as run:
            run.log_metrics({"val/loss": 0.4375})
            run.share_scores(["metrics.`val/loss`", "tags.`stage`"])
    expect.set_options(timeout=30_000)
    port = find_free_port()
    with started("ui", f"--store={store_path}", f"--port={port}") as process, sync_playwright() as playwright:
        assert process.stdout
        process.stdout.readline()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{port}")
        page.get_by_role("link", name="tests").click()
        with page.expect_popup() as tab:
            page.get_by_role("link", name="Runs with their scores").click()
        page = tab.value
        for column in ("val/loss", "stage"):
            expect(page.get_by_role("columnheader", name=column).last).to_be_in_viewport(ratio=1)
        page.get_by_role("link", name="a run").click()
        for shown in ("0.4375", "Finished", "Tags", "Parameters (0)"):
            expect(page.get_by_text(shown, exact=True)).to_be_in_viewport(ratio=1)
        process.send_signal(signal.SIGINT)
        assert process.wait(2) == 130
        browser.close()


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
