"""The reader of handwritten characters: it evaluates the images that text-to-image models draw.

    make train-glyph-reader                       # scikit-learn's digits
    make train-glyph-reader DIGITS=mnist.npz
    make predict-glyph-reader QUERY=seven.png     # a 28x28 PNG, light ink on a dark background

A text-to-image training first trains a glyph reader where there is none for the same digits; the tag `data.digest` of a
version tells which digits those are.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from library.framework.classification import Classifier
from library.framework.experiment import ModelArtifacts, PredictRequest, TestResult, TrainingResult
from library.framework.run import Callbacks, Run
from library.sums.config import GlyphReaderConfig
from library.sums.data import handwriting, image_files
from library.sums.data.handwriting import HandwritingSplits

if TYPE_CHECKING:
    import keras


class GlyphReader(Classifier):
    """Convolutions that learn from all characters equally often, and are scored on handwritten digits only."""

    Config = GlyphReaderConfig
    trial_overrides = {"epochs": 5}
    prune_after = 2
    data_fields = ("digits",)
    labels = "0123456789+-* "

    def load(self) -> HandwritingSplits:
        return handwriting.load(self.config.digits, self.labels)

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        """Trains on images drawn anew for each batch; the best epoch has the least validation loss."""
        import keras

        from library.framework.training.batches import Batches
        from library.framework.training.trainer import Trainer
        from library.sums.models import glyph_networks

        config, data = self.config, self.data

        def render(ids: Sequence[np.ndarray], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            return data.train.draw(ids[0], random, vary=config.vary), ids[0]

        run.log_dataset("glyphs", data.digest, data.inputs)
        keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
        model = glyph_networks.build(config, len(self.labels))
        ids, size, steps = np.arange(len(self.labels)), config.batch_size, config.steps_per_epoch
        batches = Batches(ids, batch_size=size, steps=steps, seed=config.seed, render=render)
        return Trainer.of(config).fit(model, batches, tuple(data.validation.digits), run, callbacks)

    def test(self, model: "keras.Model", run: Run) -> TestResult:
        return self.evaluate(model, self.data.test.digits, run)

    def package(self, model: "keras.Model", folder: Path) -> ModelArtifacts:
        return replace(super().package(model, folder), cli_example={"query": "digit.png"})

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """A PNG of one character."""
        return PredictRequest(image_files.read(query, 1))
