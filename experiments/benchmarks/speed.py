"""Training throughput, each measurement in turn with a plain loop of the same network."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from experiments.benchmarks import Row
from experiments.seq2seq import Seq2Seq
from library.framework.run import Run
from library.sums.config import Seq2SeqConfig


def throughput() -> Iterator[Row]:
    """Examples a second in training, in turn with the stock loop of the same network."""
    from experiments.benchmarks import stock

    for batch_size in (64, 512, 2048):
        rates = [_pair(stock.CONFIG.model_copy(update={"batch_size": batch_size})) for _ in range(3)]
        ours, theirs = (statistics.median(rate) for rate in zip(*rates, strict=True))
        ratio = statistics.median(a / b for a, b in rates)
        name = f"throughput, network of the stock, batches of {batch_size} against 32"
        yield name, f"{ours:,.0f} against {theirs:,.0f} examples/s: {ratio:.1f}x", ">= 4x"


def _pair(config: Seq2SeqConfig) -> tuple[float, float]:
    """Examples a second of this project's loop and of the stock loop, one after the other."""
    import keras
    import numpy as np

    from experiments.benchmarks import stock
    from library.framework.training.batches import Batches
    from library.sums.data import queries
    from library.sums.models import seq2seq

    data = queries.load(config)
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
    pairs = [[_rate(partial(model.fit, each, verbose=0), 200) for each in (new, same)] for _ in range(3)]
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


def _rate(epoch: Callable[[], object], examples: int) -> float:
    epoch()  # compiles
    start = time.perf_counter()
    epoch()
    epoch()
    return 2 * examples / (time.perf_counter() - start)
