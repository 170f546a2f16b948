"""The latency and the throughput of a registered model: in Python, and through `make serve`."""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from experiments.benchmarks import Row
from experiments.seq2seq import Seq2Seq
from library.framework.serving import sockets

MODEL = "seq2seq-text-to-text"
FIRST_ANSWER = """
import sys, time
from library.framework.environment import start_keras
start_keras(1)
import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store
from library import load_model, open_store
open_store(sys.argv[1])
start = time.perf_counter()
load_model(sys.argv[2]).predict(["45+23"])
print(time.perf_counter() - start)
"""
"""Prints the seconds until the first answer, without imports: mlflow imports what a store in sqlite needs late."""


def serving() -> Iterator[Row]:
    """A registered text-to-text model: its first answer, and its speed over HTTP."""
    from library import open_store

    with tempfile.TemporaryDirectory() as folder:
        # With the default size; its speed does not depend on how much it has learnt.
        with open_store(folder) as store:
            Seq2Seq(epochs=1, steps_per_epoch=1).train(store)
        program = [sys.executable, "-c", FIRST_ANSWER, folder, MODEL]
        first = statistics.median(float(subprocess.check_output(program, text=True)) for _ in range(3))  # noqa: S603
        yield "loading by stage and the first answer, beyond imports", f"{first:.2f} s (median of 3)", "<= 1 s"

        port, start = sockets.find_free_port(), time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "experiments",
            "serve",
            f"--model={MODEL}",
            f"--store={folder}",
            f"--port={port}",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            try:
                assert process.stdout  # noqa: S101 -- for mypy
                process.stdout.readline()  # printed once it answers
                connection = http.client.HTTPConnection(sockets.HOST, port)
                _request(connection, 1)
                yield "make serve: from the command to its first answer", f"{time.perf_counter() - start:.1f} s", "-"
                # The first request of a size, which compiles, does not count.
                single, batch = ([_request(connection, size) for _ in range(201)][1:] for size in (1, 100))
            finally:
                process.terminate()
        yield "one query through make serve", f"{1000 * statistics.median(single):.1f} ms (median of 200)", "-"
        rate = 100 * len(batch) / sum(batch)
        yield "text-to-text through make serve, batches of 100", f"{rate:,.0f} queries/s", ">= 3,000 queries/s"


def _request(connection: http.client.HTTPConnection, size: int) -> float:
    """Seconds that the answers to a batch of queries take."""
    body = json.dumps({"inputs": [f"{i % 100}+{i * 7 % 100}" for i in range(size)]})
    start = time.perf_counter()
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answers = json.loads(connection.getresponse().read())["predictions"]
    seconds = time.perf_counter() - start
    if len(answers) != size:
        raise RuntimeError(f"got {len(answers)} answers to {size} queries")
    return seconds
