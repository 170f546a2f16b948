"""Measures what README.md states and prints a table of it, each row beside its target.

make bench                    # all of it: about 40 minutes on 2 cores; let nothing else run
make bench ONLY=throughput    # one part: exact-match, time-to-99, stock, throughput, pipeline, images, overhead, study
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments import seq2seq as experiment
from experiments.seq2seq import Config
from library.compute import start_keras
from library.errors import UserError
from library.experiment import Run

Row = tuple[str, str, str]
"""What, measured, target."""


def exact_match() -> Iterator[Row]:
    """Exact match on unseen queries at the defaults: three seeds, each with a split of its own."""
    for fraction, target in ((0.5, ">= 0.999"), (0.25, ">= 0.997"), (0.1, ">= 0.97")):
        scores = []
        for seed in range(3):
            config = Config(train_fraction=fraction, seed=seed, split_seed=seed)
            model = experiment.train(config, Run(), ()).model
            scores.append(experiment.test(config, model, Run()).metrics["test/exact_match"])
        told = ", ".join(f"{score:.4f}" for score in scores)
        name = f"exact match, {fraction:.0%} of the queries to learn from"
        yield name, f"{statistics.mean(scores):.4f} ({told})", target


def time_to_99() -> Iterator[Row]:
    """Seconds until 0.99 exact match on validation queries, with the defaults."""
    reached: list[float] = []
    began = time.perf_counter()

    def note(_: int, metrics: Mapping[str, float]) -> None:
        if metrics["val/exact_match"] >= 0.99 and not reached:
            reached.append(time.perf_counter() - began)

    experiment.train(Config(), Run(), [note])
    told = f"{reached[0]:.0f} s of {time.perf_counter() - began:.0f} s" if reached else "never"
    yield "time to 0.99 on validation, defaults", told, "<= 60 s"


def stock_network() -> Iterator[Row]:
    """The stock network, settings and loop on all cores: exact match on test queries, one seed."""
    from experiments.benchmarks import stock

    for fraction in (0.5, 0.25, 0.1):
        trained = stock.train(stock.CONFIG.model_copy(update={"train_fraction": fraction}))
        reached = "never 0.99 on validation" if trained.reached is None else f"0.99 after {trained.reached:.0f} s"
        told = f"{trained.test:.4f} in {trained.seconds:.0f} s, {reached}"
        yield f"stock, {fraction:.0%} of the queries to learn from, 30 epochs", told, "-"


def throughput() -> Iterator[Row]:
    """Examples a second in training, in turn with the stock loop of the same network."""
    from experiments.benchmarks import stock

    for batch_size in (64, 512, 2048):
        rates = [_pair(stock.CONFIG.model_copy(update={"batch_size": batch_size})) for _ in range(3)]
        ours, theirs = (statistics.median(rate) for rate in zip(*rates, strict=True))
        ratio = statistics.median(a / b for a, b in rates)
        name = f"throughput, network of the stock, batches of {batch_size} against 32"
        yield name, f"{ours:,.0f} against {theirs:,.0f} examples/s: {ratio:.1f}x", ">= 4x"


def _pair(config: Config) -> tuple[float, float]:
    """Examples a second of this project's loop and of the stock loop, one after the other."""
    import keras
    import numpy as np

    from experiments.benchmarks import stock
    from library.data import arithmetic
    from library.data.batches import Batches
    from library.models import seq2seq

    data = arithmetic.load(config)
    steps = max(1, 12_800 // config.batch_size)
    ours = seq2seq.build(config.model_copy(update={"steps_per_epoch": steps}))
    batches = Batches(data.train.x, data.train.y, batch_size=config.batch_size, steps=steps, seed=0)
    theirs = stock.network()
    theirs.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.eye(13, dtype="float32")[data.train.x[:3200]], data.train.y[:3200]
    rate = _rate(lambda: ours.fit(batches, verbose=0), steps * config.batch_size)
    rate_theirs = _rate(lambda: theirs.fit(x, y, batch_size=32, verbose=0), len(x))
    keras.utils.clear_session()
    return rate, rate_theirs


def _rate(epoch: Callable[[], object], examples: int) -> float:
    epoch()  # compiles
    began = time.perf_counter()
    epoch()
    epoch()
    return 2 * examples / (time.perf_counter() - began)


def pipeline() -> Iterator[Row]:
    """What drawing images afresh for every batch costs a training, in turn with one batch over and over."""
    from functools import partial

    from library.data import exercises
    from library.data.batches import Batches
    from library.models import reading

    config = Config(modality="image-to-text")
    part = exercises.load(config).train
    batch = Batches(part.queries.x, part.queries.y, batch_size=64, steps=1, seed=0, render=part.render)[0]
    arrays, steps = (part.queries.x, part.queries.y), {"batch_size": 64, "steps": 200, "seed": 0}
    fresh = Batches(*arrays, **steps, render=partial(part.render, vary=config.vary))
    same = Batches(*arrays, **steps, render=lambda *_: batch)
    model = reading.build(config)
    pairs = [[_rate(partial(model.fit, batches, verbose=0), 200) for batches in (fresh, same)] for _ in range(3)]
    share = statistics.median(1 - drawn / kept for drawn, kept in pairs)
    steady = statistics.median(drawn for drawn, _ in pairs)
    yield "image-to-text: share of a step spent waiting for images", f"{share:.1%} ({steady:.1f} steps/s)", "<= 3 %"


def images() -> Iterator[Row]:
    """Training on images with all that comes with it, in turn with the same network in a bare Keras loop."""
    import keras

    from experiments import cae, vae
    from library.configs import AutoencoderConfig
    from library.data import cats
    from library.models import autoencoders

    configs: tuple[tuple[Any, AutoencoderConfig], ...] = ((cae, cae.Config(epochs=2)), (vae, vae.Config(epochs=2)))
    for module, config in configs:
        shown = cats.load(config).train[: config.batch_size * config.steps_per_epoch]

        def tracked(module: Any = module, config: AutoencoderConfig = config) -> float:
            ends: list[float] = []
            module.train(config, Run(), [lambda *_: ends.append(time.perf_counter())])
            return config.batch_size * config.steps_per_epoch / (ends[1] - ends[0])

        def bare(config: AutoencoderConfig = config, shown: Any = shown) -> float:
            ends: list[float] = []
            ending = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
            model = autoencoders.build(config)
            model.fit(shown, batch_size=config.batch_size, epochs=2, verbose=0, callbacks=[ending])
            return len(shown) / (ends[1] - ends[0])

        pairs = [(tracked(), bare()) for _ in range(3)]
        share = statistics.median(ours / theirs for ours, theirs in pairs)
        steady = statistics.median(ours for ours, _ in pairs)
        yield f"{module.experiment.model_name(config)}: throughput", f"{share:.0%} ({steady:.0f} images/s)", ">= 90 %"


def overhead() -> Iterator[Row]:
    """What tracking and registering cost a training at the defaults."""
    from library import registry, tracking
    from library.experiment import Scores

    spent: list[float] = []
    config = Config()
    with tempfile.TemporaryDirectory() as folder, tracking.open_store(Path(folder)) as store:
        began = time.perf_counter()
        with _timed(spent, tracking.MlflowRun), tracking.start_run(store, "bench", "bench", config=config) as run:
            spent.append(time.perf_counter() - began)
            model = experiment.train(config, run, ()).model
        share = sum(spent) / (time.perf_counter() - began)
        yield "tracking's share of a training", f"{share:.2%} ({sum(spent):.2f} s)", "<= 1 %"

        seconds = []
        for _ in range(5):
            with tracking.start_run(store, "bench", "bench"), tempfile.TemporaryDirectory() as files:
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


def study() -> Iterator[Row]:
    """The main job on a new store."""
    from library import discovery, tracking, tuning
    from library.options import StudyOptions

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with tracking.open_store(Path(folder)) as store:
            space = discovery.find_space("seq2seq")
            search = tuning.Search("seq2seq", discovery.find("seq2seq"), space, {}, StudyOptions(), store)
            outcome = tuning.tune(search).outcome
        minutes = (time.perf_counter() - began) / 60
        yield "make tune-seq2seq with its defaults", f"{minutes:.1f} minutes", "<= 15 minutes"
        score = f"{outcome.metrics['test/exact_match']:.4f}, {outcome.stage}"
        yield "exact match of its winner, stage", score, ">= 0.999, Production"


# Each in a process of its own, on as many cores as suit it: the stock loop has all, as it would have anywhere.
PARTS: Mapping[str, tuple[Callable[[], Iterator[Row]], int | None]] = {
    "study": (study, 1),
    "time-to-99": (time_to_99, 1),
    "stock": (stock_network, None),
    "throughput": (throughput, None),
    "pipeline": (pipeline, None),
    "images": (images, None),
    "overhead": (overhead, 1),
    "exact-match": (exact_match, 1),
}


def main(arguments: Sequence[str]) -> None:
    """Measures the parts asked for, each in a new process if there are several."""
    asked = [argument.lower().removeprefix("--only=") for argument in arguments] or list(PARTS)
    for name in asked:
        if name not in PARTS:
            raise UserError(f"only: got {name!r}; allowed are {', '.join(PARTS)}")
    if len(asked) > 1:
        for name in asked:
            subprocess.run([sys.executable, "-m", "experiments.benchmarks", f"--only={name}"], check=True)  # noqa: S603
        return
    measure, cores = PARTS[asked[0]]
    start_keras(cores)
    table = Table("what", "measured", "target", title=str(measure.__doc__), title_justify="left", min_width=100)
    for row in measure():
        table.add_row(*row)
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
