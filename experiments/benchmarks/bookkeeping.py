"""What tracking and the registry cost."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments import seq2seq as experiment
from experiments.benchmarks import Row
from experiments.seq2seq import Config


def overhead() -> Iterator[Row]:
    """What tracking and registering cost a training at the defaults."""
    from library.framework import registry
    from library.framework.experiment import Scores
    from library.framework.tracking import mlflow_run, session

    spent: list[float] = []
    config = Config()
    with tempfile.TemporaryDirectory() as folder, session.open_store(Path(folder)) as store:
        began = time.perf_counter()
        with _timed(spent, mlflow_run.MlflowRun), mlflow_run.start_run(store, "bench", "bench", config=config) as run:
            spent.append(time.perf_counter() - began)
            model = experiment.train(config, run, ()).model
        share = sum(spent) / (time.perf_counter() - began)
        yield "tracking's share of a training", f"{share:.2%} ({sum(spent):.2f} s)", "<= 1 %"

        seconds = []
        for _ in range(5):
            with mlflow_run.start_run(store, "bench", "bench"), tempfile.TemporaryDirectory() as files:
                began = time.perf_counter()
                package = experiment.package(config, model, Path(files))
                registry.register("bench", package, Scores({"test/exact_match": 1.0}, {}), {})
                seconds.append(time.perf_counter() - began)
        yield "logging and registering a model", f"{statistics.median(seconds):.2f} s (median of 5)", "<= 1 s"


@contextmanager
def _timed(spent: list[float], run_type: type[Any]) -> Iterator[None]:
    """Adds up the seconds in every method of a run."""
    names = [name for name in vars(run_type) if not name.startswith("_")]
    methods = {name: getattr(run_type, name) for name in names}

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent.append(time.perf_counter() - began)

        return call

    for name, method in methods.items():
        setattr(run_type, name, timed(method))
    try:
        yield
    finally:
        for name, method in methods.items():
            setattr(run_type, name, method)
