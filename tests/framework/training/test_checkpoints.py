"""Checkpoints: a training that was killed ends like one that was not, to the last digit."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from experiments.cae import Cae
from experiments.gan import Gan
from experiments.glyph_reader import GlyphReader
from experiments.seq2seq import Seq2Seq
from experiments.vae import Vae
from library import Batches, EpochCallback, Experiment, Run, Trainer, TrainingResult
from library.cats.models.feature_extractors import FeatureExtractor
from library.framework.run import Callbacks
from library.framework.training import checkpoints
from library.sums.models import glyph_networks
from tests.eager import eagerly
from tests.tiny import Tiny

SUMS = {"epochs": 3, "steps_per_epoch": 2, "batch_size": 4, "filters": 1}
SEQ2SEQ = {**SUMS, "units": 2, "train_fraction": 0.99, "validation_fraction": 0.01}
CATS = {
    "epochs": 3, "steps_per_epoch": 2, "batch_size": 8, "filters": "4-8-8", "latent_size": 4, "images": 100,
    "validation_samples": 40,
}  # fmt: skip
GAN = {**CATS, "discriminator_filters": "2-2-2", "hidden": 0, "pretraining": 0}


class Kept(Run):
    """Keeps metrics by step."""

    def __init__(self) -> None:
        self.metrics: dict[int, Mapping[str, float]] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics[step] = metrics


class TwoOptimizers(keras.Model):
    """Two networks that are trained in turn, on points with noise of Keras's global seed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = keras.layers.Dense(4, "relu"), keras.layers.Dense(1)
        self.dropout, self.extra = keras.layers.Dropout(0.5), keras.optimizers.Adam(0.1)

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.second(self.dropout(self.first(x + keras.random.normal((2,))), training=training))

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape(persistent=True) as tape:
            loss = keras.ops.mean((self(x, training=True)[:, 0] - y) ** 2)
        for layer, optimizer in ((self.first, self.extra), (self.second, self.optimizer)):
            optimizer.apply_gradients(
                zip(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables, strict=True)
            )
        return {"loss": loss}


class Shuffled(keras.utils.PyDataset):
    """Batches in an order of numpy's global generator, as Keras's own examples have it."""

    def __init__(self, *arrays: np.ndarray) -> None:
        super().__init__()
        self._arrays, self._order = arrays, np.arange(len(arrays[0]))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, step: int) -> tuple[np.ndarray, ...]:
        return tuple(array[self._order[8 * step : 8 * step + 8]] for array in self._arrays)

    def on_epoch_end(self) -> None:
        np.random.shuffle(self._order)


class Own(Tiny):
    """What the framework's models do not have: several optimizers, global seeds, callbacks of Keras, a pretraining."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        Tiny(epochs=2).fit(Run())
        keras.utils.set_random_seed(self.config.seed)
        model, (x, y) = TwoOptimizers(), (self.data.x, self.data.y)
        model.compile(keras.optimizers.Adam(0.1), keras.losses.MeanSquaredError(), run_eagerly=True)
        slower = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9.0)
        stop = keras.callbacks.EarlyStopping("loss", patience=4, min_delta=9.0)
        validation = Batches(x, y, batch_size=8, steps=1, seed=1)
        return Trainer.of(self.config).fit(model, Shuffled(x, y), validation, run, [slower, stop, *callbacks])


def text_to_image() -> Seq2Seq:
    """With glyph readers that know nothing."""
    made = Seq2Seq(**SEQ2SEQ, modality="text-to-image")
    keras.utils.set_random_seed(0)
    evaluator, teacher = (glyph_networks.glyph_reader(1, len(GlyphReader.labels)) for _ in range(2))
    vars(made).update(dependencies=[GlyphReader(**SUMS)], evaluator=evaluator, teacher=teacher)
    return made


def kill(epoch: int) -> EpochCallback:
    """Ends a training in an epoch, as a signal does."""

    def end(done: int, _: Mapping[str, float]) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return EpochCallback(end)


@pytest.fixture(autouse=True)
def _after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No graphs, and features of images without a network."""

    def coarse(_: FeatureExtractor, images: np.ndarray) -> np.ndarray:
        return images.reshape(-1, 5, 15, 5, 15, 3).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 75)

    monkeypatch.setattr(FeatureExtractor, "__call__", coarse)
    with eagerly():
        yield


@pytest.mark.parametrize(
    ("make", "epochs"),
    [
        pytest.param(lambda: Own(epochs=5), 5, id="own"),
        pytest.param(lambda: Tiny(epochs=4), 4, id="tiny"),
        pytest.param(lambda: Seq2Seq(**SEQ2SEQ), 3, id="text-to-text", marks=pytest.mark.slow),
        pytest.param(
            lambda: Seq2Seq(**SEQ2SEQ, modality="image-to-text"), 3, id="image-to-text", marks=pytest.mark.nightly
        ),
        pytest.param(text_to_image, 3, id="text-to-image", marks=pytest.mark.nightly),
        pytest.param(lambda: GlyphReader(**SUMS), 3, id="glyph-reader", marks=pytest.mark.nightly),
        pytest.param(lambda: Cae(**CATS), 3, id="cae", marks=pytest.mark.nightly),
        pytest.param(lambda: Vae(**CATS), 3, id="vae", marks=pytest.mark.nightly),
        pytest.param(lambda: Gan(**GAN), 3, id="gan", marks=pytest.mark.nightly),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_training_that_was_killed_ends_like_one_that_was_not(
    make: Callable[[], Experiment], epochs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, again = Kept(), Kept()
    expected = make().fit(whole, [EpochCallback(lambda *_: None)])
    with checkpoints.kept_in(tmp_path), pytest.raises(KeyboardInterrupt):
        make().fit(Kept(), [kill(3)])
    keras.utils.set_random_seed(7)  # as another process has other states
    seen, earlier = list[int](), list[int]()
    capsys.readouterr()
    with checkpoints.kept_in(tmp_path):
        noted = EpochCallback(lambda epoch, _: seen.append(epoch), lambda epoch, _: earlier.append(epoch))
        result = make().fit(again, [noted])
    assert (earlier, seen) == ([1, 2], list(range(3, epochs + 1)))
    *pretraining, said = capsys.readouterr().out.splitlines()
    assert pretraining == ["training: goes on after epoch 2 of 2"] * isinstance(make(), Own)
    assert said == f"training: goes on after epoch 2 of {epochs}"
    assert again.metrics == whole.metrics
    assert (result.metrics, result.epoch) == (expected.metrics, expected.epoch)
    for one, other in zip(result.model.variables, expected.model.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(result.model.optimizer.variables, expected.model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
