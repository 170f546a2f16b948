"""The cost of tracking and of the registry, beside what a training takes anyway."""

import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from experiments.benchmarks import Row
from experiments.seq2seq import Seq2Seq


def overhead() -> Iterator[Row]:
    """The cost of tracking and registering a training with the defaults."""
    from library import TestResult, open_store
    from library.framework.registry import artifacts
    from library.framework.tracking.mlflow_run import MlflowRun, start_run

    seconds: list[float] = []
    experiment = Seq2Seq()
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        with ExitStack() as patches:
            for name, method in vars(MlflowRun).items():
                if not name.startswith("_"):
                    patches.enter_context(patch.object(MlflowRun, name, _timed(method, seconds)))
            start = time.perf_counter()
            with start_run(store, "bench", "bench", config=experiment.config) as run:
                seconds.append(time.perf_counter() - start)
                model = experiment.fit(run).model
            share = sum(seconds) / (time.perf_counter() - start)
        yield "tracking's share of a training", f"{share:.2%} ({sum(seconds):.2f} s)", "<= 1 %"

        durations: list[float] = []
        for _ in range(5):
            with start_run(store, "bench", "bench"), tempfile.TemporaryDirectory() as files:
                start = time.perf_counter()
                package = experiment.package(model, Path(files))
                artifacts.register("bench", package, TestResult({"test/exact_match": 1.0}, {}), {})
                durations.append(time.perf_counter() - start)
        yield "logging and registering a model", f"{statistics.median(durations):.2f} s (median of 5)", "<= 1 s"


def _timed(method: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """A method that also notes how long each call takes."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - start)

    return call
