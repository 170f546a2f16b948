"""Examples a second in training, each in turn with a plain loop of the same network."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import Row
from experiments.seq2seq import Config
from library.framework.run import Run


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
    """What drawing images afresh for every batch costs a training, in turn with one batch over and over."""
    from functools import partial

    from library.framework.training.batches import Batches
    from library.sums.data import dataset
    from library.sums.models import image_to_text

    config = Config(modality="image-to-text")
    part = dataset.load(config).train
    batch = Batches(part.queries.x, part.queries.y, batch_size=64, steps=1, seed=0, render=part.render)[0]
    arrays, steps = (part.queries.x, part.queries.y), {"batch_size": 64, "steps": 200, "seed": 0}
    fresh = Batches(*arrays, **steps, render=partial(part.render, vary=config.vary))
    same = Batches(*arrays, **steps, render=lambda *_: batch)
    model = image_to_text.build(config)
    pairs = [[_rate(partial(model.fit, batches, verbose=0), 200) for batches in (fresh, same)] for _ in range(3)]
    share = statistics.median(1 - drawn / kept for drawn, kept in pairs)
    steady = statistics.median(drawn for drawn, _ in pairs)
    yield "image-to-text: share of a step spent waiting for images", f"{share:.1%} ({steady:.1f} steps/s)", "<= 3 %"


def images() -> Iterator[Row]:
    """Training on images with all that comes with it, in turn with the same network in a bare Keras loop."""
    import keras

    from experiments import cae, vae
    from library.cats.config import AutoencoderConfig
    from library.cats.data import dataset
    from library.cats.models import autoencoders

    configs: tuple[tuple[Any, AutoencoderConfig], ...] = ((cae, cae.Config(epochs=2)), (vae, vae.Config(epochs=2)))
    for module, config in configs:
        shown = dataset.load(config).train[: config.batch_size * config.steps_per_epoch]

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


def _rate(epoch: Callable[[], object], examples: int) -> float:
    epoch()  # compiles
    began = time.perf_counter()
    epoch()
    epoch()
    return 2 * examples / (time.perf_counter() - began)
