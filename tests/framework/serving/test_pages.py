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
from library.framework.serving.sockets import find_free_port
from tests import programs

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
        with started(name, f"--store={store_path}", f"--port={port}") as second:
            assert second.wait(30) == 2
            assert second.stderr
            assert f"port: got {port}, which " in second.stderr.read()
        process.send_signal(end)
        status = process.wait(10)
        assert process.stderr
        expected = {signal.SIGTERM: (143, ""), signal.SIGINT: (130, "interrupted: the pages are closed\n")}
        assert (status, process.stderr.read()) == expected[end]
