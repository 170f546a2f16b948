"""Training throughput, in turn with a plain loop of the same network, and what tracking takes of it."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from experiments.benchmarks import Row, stock
from experiments.seq2seq import Seq2Seq
from library.framework.run import Run


def throughput() -> Iterator[Row]:
    """Examples a second in training, in turn with the stock loop of the same network."""
    import keras

    from library.framework.training.batches import Batches
    from library.sums.data import queries
    from library.sums.models import seq2seq

    train = queries.load(stock.CONFIG).train
    x, y = stock.ONE_HOT[train.x[:3200]], train.y[:3200]
    for batch_size in (64, 512, 2048):
        steps, rates = 12_800 // batch_size, []
        config = stock.CONFIG.model_copy(update={"batch_size": batch_size, "steps_per_epoch": steps})
        for _ in range(3):
            batches = Batches(train.x, train.y, batch_size=batch_size, steps=steps, seed=0)
            fit, fit_stock = partial(seq2seq.build(config).fit, batches), partial(stock.network().fit, x, y)
            rates.append((_rate(fit, steps * batch_size), _rate(partial(fit_stock, batch_size=32), len(x))))
            keras.utils.clear_session()
        ours, theirs = (statistics.median(rate) for rate in zip(*rates, strict=True))
        ratio = statistics.median(a / b for a, b in rates)
        name = f"throughput, network of the stock, batches of {batch_size} against 32"
        yield name, f"{ours:,.0f} against {theirs:,.0f} examples/s: {ratio:.1f}x", ">= 4x"


def pipeline() -> Iterator[Row]:
    """The cost of drawing new images for every batch, in turn with a single batch over and over."""
    from library.framework.training.batches import Batches

    experiment = Seq2Seq(modality="image-to-text")
    split = experiment.data.train
    batches = partial(Batches, split.queries.x, split.queries.y, batch_size=64, seed=0)
    batch = batches(steps=1, render=split.render)[0]
    new = batches(steps=200, render=partial(split.render, vary=experiment.config.vary))
    same = batches(steps=200, render=lambda *_: batch)
    model = experiment.build()
    pairs = [[_rate(partial(model.fit, each), 200) for each in (new, same)] for _ in range(3)]
    share = statistics.median(1 - drawn / kept for drawn, kept in pairs)
    steady = statistics.median(drawn for drawn, _ in pairs)
    yield "image-to-text: share of a step spent waiting for images", f"{share:.1%} ({steady:.1f} steps/s)", "<= 3 %"


def images() -> Iterator[Row]:
    """Training on images with all that comes with it, in turn with the same network in a bare Keras loop."""
    from experiments.cae import Cae
    from experiments.vae import Vae
    from library import EpochCallback
    from library.cats.models import autoencoders

    for kind in (Cae, Vae):
        experiment = kind(epochs=2)
        config = experiment.config
        examples = config.batch_size * config.steps_per_epoch
        x = experiment.data.train[:examples]
        pairs = []
        for _ in range(3):
            tracked, bare = list[float](), list[float]()
            experiment.fit(Run(), [EpochCallback(lambda *_, ends=tracked: ends.append(time.perf_counter()))])
            callback = EpochCallback(lambda *_, ends=bare: ends.append(time.perf_counter()))
            autoencoders.build(config).fit(x, batch_size=config.batch_size, epochs=2, verbose=0, callbacks=[callback])
            pairs.append((examples / (tracked[1] - tracked[0]), len(x) / (bare[1] - bare[0])))
        share = statistics.median(ours / theirs for ours, theirs in pairs)
        steady = statistics.median(ours for ours, _ in pairs)
        yield f"{experiment.model_name}: throughput", f"{share:.0%} ({steady:.0f} images/s)", ">= 90 %"


def overhead() -> Iterator[Row]:
    """The cost of tracking and registering a training with the defaults."""
    from library import TestResult, open_store
    from library.framework.registry import artifacts
    from library.framework.tracking.mlflow_run import MlflowRun, start_run

    seconds, durations = list[float](), list[float]()
    experiment = Seq2Seq()
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        public = {name: method for name, method in vars(MlflowRun).items() if not name.startswith("_")}
        methods: dict[str, Any] = {name: _timed(method, seconds) for name, method in public.items()}
        with patch.multiple(MlflowRun, **methods):
            start = time.perf_counter()
            with start_run(store, "bench", "bench", config=experiment.config) as run:
                seconds.append(time.perf_counter() - start)
                model = experiment.fit(run).model
            share = sum(seconds) / (time.perf_counter() - start)
        yield "tracking's share of a training", f"{share:.2%} ({sum(seconds):.2f} s)", "<= 1 %"

        for _ in range(5):
            with start_run(store, "bench", "bench"), tempfile.TemporaryDirectory() as files:
                start = time.perf_counter()
                package = experiment.package(model, Path(files))
                artifacts.register("bench", package, TestResult({"test/exact_match": 1.0}, {}), {})
                durations.append(time.perf_counter() - start)
        yield "logging and registering a model", f"{statistics.median(durations):.2f} s (median of 5)", "<= 1 s"


def _rate(fit: Callable[..., object], examples: int) -> float:
    """Examples a second, once the first epoch has compiled the network."""
    fit(verbose=0)
    start = time.perf_counter()
    fit(verbose=0)
    fit(verbose=0)
    return 2 * examples / (time.perf_counter() - start)


def _timed(method: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """A method that also notes how long each call takes."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = method(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return result

    return call
