"""How soon a registered model answers, and how fast: in Python, and through `make serve`."""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments import seq2seq as experiment
from experiments.benchmarks import Row
from experiments.seq2seq import Config
from library.framework.run import Run
from library.framework.serving import sockets

MODEL = "seq2seq-text-to-text"
FIRST = """
import sys, time
from pathlib import Path
from library.compute import start_keras
start_keras(1)
import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store
from library import registry, tracking
began = time.perf_counter()
tracking.Store(Path(sys.argv[1])).connect()
registry.load(sys.argv[2]).predict(["45+23"])
print(time.perf_counter() - began)
"""
"""Tells the seconds until the first answer. What a store in sqlite needs is imported before: mlflow does so late."""


def serving() -> Iterator[Row]:
    """A registered text-to-text model: its first answer, and how fast it answers MLflow's scoring server's clients."""
    with tempfile.TemporaryDirectory() as folder:
        _register(Path(folder))
        firsts = [_first(folder) for _ in range(3)]
        told = f"{statistics.median(firsts):.2f} s (median of 3)"
        yield "loading by stage and the first answer, beyond imports", told, "<= 1 s"

        port, began = sockets.free(), time.perf_counter()
        with _served(folder, port) as connection:
            _ask(connection, 1)
            yield "make serve: from the command to its first answer", f"{time.perf_counter() - began:.1f} s", "-"
            single, batch = (_times(connection, size) for size in (1, 100))
        told = f"{1000 * statistics.median(single):.1f} ms (median of {len(single)})"
        yield "one query through the scoring server", told, "-"
        rate = 100 * len(batch) / sum(batch)
        yield "text-to-text through the scoring server, batches of 100", f"{rate:,.0f} queries/s", ">= 3,000 queries/s"


def _register(root: Path) -> None:
    """A network of the default size in Production; what it has learnt makes no difference to its speed."""
    from library.framework import registry
    from library.framework.experiment import Scores
    from library.framework.tracking import mlflow_run, session

    config = Config(epochs=1, steps_per_epoch=1)
    with session.open_store(root) as store, tempfile.TemporaryDirectory() as files:
        model = experiment.train(config, Run(), ()).model
        with mlflow_run.start_run(store, "bench", "bench"):
            package = experiment.package(config, model, Path(files))
            registry.promote(MODEL, registry.register(MODEL, package, Scores({}, {}), {}))


def _first(root: str) -> float:
    program = [sys.executable, "-c", FIRST, root, MODEL]
    return float(subprocess.run(program, check=True, capture_output=True, text=True).stdout)  # noqa: S603


@contextmanager
def _served(root: str, port: int) -> Iterator[http.client.HTTPConnection]:
    """A connection to the model, served by a process of its own."""
    flags = [f"--model={MODEL}", f"--store={root}", f"--port={port}"]
    command = [sys.executable, "-m", "experiments", "serve", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout  # noqa: S101 -- for mypy
            process.stdout.readline()  # which is there when it answers
            yield http.client.HTTPConnection(sockets.HOST, port)
        finally:
            process.terminate()


def _times(connection: http.client.HTTPConnection, size: int, requests: int = 200) -> list[float]:
    """Seconds that each of some requests took, one after the other; the first, which compiles, is not counted."""
    return [_ask(connection, size) for _ in range(requests + 1)][1:]


def _ask(connection: http.client.HTTPConnection, size: int) -> float:
    body = json.dumps({"inputs": [f"{i % 100}+{i * 7 % 100}" for i in range(size)]})
    began = time.perf_counter()
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answers = json.loads(connection.getresponse().read())["predictions"]
    seconds = time.perf_counter() - began
    if len(answers) != size:
        raise RuntimeError(f"got {len(answers)} answers to {size} queries")
    return seconds
