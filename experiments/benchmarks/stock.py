"""The published network in a plain Keras loop, the baseline of all measurements.

Keras's own example of sequence-to-sequence addition: LSTM(256), RepeatVector, LSTM(256), Dense(13); queries padded
on the right; Adam at its defaults, batches of 32, 30 epochs. https://keras.io/examples/nlp/addition_rnn/
"""

import time
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from library.sums.config import Seq2SeqConfig
from library.sums.data import queries

CONFIG = Seq2SeqConfig(
    units=256, embedding_size=0, padding="right", reading_order="as-written", answer_order="as-written",
    batch_size=32, learning_rate=1e-3, warmup=0.0, weight_decay=0.0,
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """Exact match on validation and test queries after the last epoch, and when validation first reached 0.99."""

    validation: float
    test: float
    seconds: float
    reached: float | None


def network(units: int = 256) -> keras.Model:
    """The published network, as one would write it."""
    return keras.Sequential([
        keras.Input((5, 13)), layers.LSTM(units), layers.RepeatVector(3),
        layers.LSTM(units, return_sequences=True), layers.Dense(13, activation="softmax"),
    ])  # fmt: skip


def train(config: Seq2SeqConfig, epochs: int = 30, target: float = 0.99) -> Trained:
    """Trains it on a config's split."""
    data = queries.load(config)
    train_x, validation_x, test_x = (np.eye(13, dtype="float32")[split.x] for split in data)
    keras.utils.set_random_seed(config.seed)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    start, reached = time.perf_counter(), None
    for _ in range(epochs):
        model.fit(train_x, data.train.y, batch_size=32, verbose=0)
        score = _exact_match(model, validation_x, data.validation.y)
        if reached is None and score >= target:
            reached = time.perf_counter() - start
    seconds = time.perf_counter() - start
    return Trained(score, _exact_match(model, test_x, data.test.y), seconds, reached)


def _exact_match(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    ids = np.argmax(model.predict(x, batch_size=1000, verbose=0), axis=-1)
    return float((ids == y).all(axis=-1).mean())
