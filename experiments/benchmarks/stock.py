"""The published network in a plain Keras loop, the baseline of all measurements.

Keras's own example of sequence-to-sequence addition: LSTM(256), RepeatVector, LSTM(256), Dense(13); queries padded
on the right; Adam at its defaults, batches of 32, 30 epochs. https://keras.io/examples/nlp/addition_rnn/
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from experiments.benchmarks import Row
from library.sums.config import Seq2SeqConfig
from library.sums.data import queries

if TYPE_CHECKING:
    import keras

CONFIG = Seq2SeqConfig(
    units=256, embedding_size=0, padding="right", reading_order="as-written", answer_order="as-written",
    batch_size=32, learning_rate=1e-3, warmup=0.0, weight_decay=0.0,
)  # fmt: skip
ONE_HOT = np.eye(13, dtype="float32")  # the vectors of character ids


def network() -> "keras.Model":
    """The published network, as one would write it, compiled."""
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input((5, 13)), layers.LSTM(256), layers.RepeatVector(3),
        layers.LSTM(256, return_sequences=True), layers.Dense(13, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def learning() -> Iterator[Row]:
    """The stock network, settings and loop on all cores: exact match on test queries, one seed."""
    import keras

    for fraction in (0.5, 0.25, 0.1):
        train, validation, test = queries.load(CONFIG.model_copy(update={"train_fraction": fraction}))
        keras.utils.set_random_seed(CONFIG.seed)
        model, x = network(), ONE_HOT[train.x]
        start, reached = time.perf_counter(), None
        for _ in range(30):
            model.fit(x, train.y, batch_size=32, verbose=0)
            if _exact_match(model, validation) >= 0.99 and reached is None:
                reached = time.perf_counter() - start
        seconds, until = time.perf_counter() - start, f"0.99 after {reached:.0f} s" if reached else "never 0.99"
        name = f"stock, {fraction:.0%} of the queries to learn from, 30 epochs"
        yield name, f"{_exact_match(model, test):.4f} in {seconds:.0f} s, {until} on validation", "-"


def _exact_match(model: "keras.Model", split: queries.Queries) -> float:
    ids = np.argmax(model.predict(ONE_HOT[split.x], batch_size=1000, verbose=0), axis=-1)
    return float((ids == split.y).all(axis=-1).mean())
