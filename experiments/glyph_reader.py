"""The reader of handwritten characters: what scores the images that a text-to-image model draws.

    make train-glyph-reader                       # scikit-learn's digits
    make train-glyph-reader DIGITS=mnist.npz
    make predict-glyph-reader QUERY=seven.png     # a 28x28 PNG, light ink on a dark ground

It learns from the training handwriting alone and is scored on handwriting that no model ever trained on. A
text-to-image training begins with training one where there is none for the same digits, which the tag `data.digest` of
a version tells.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from library.framework import classification
from library.framework.experiment import Experiment, Package, Question, Result, Scores
from library.framework.run import Callbacks, Run
from library.sums.config import ReaderConfig
from library.sums.data import handwriting, image_files
from library.sums.data.handwriting import Glyphs

if TYPE_CHECKING:
    import keras

CHARACTERS = "0123456789+-* "


class Config(ReaderConfig):
    """Whose handwriting, and how to train."""


def digest(config: Config) -> str:
    """Names the exact images."""
    return handwriting.load(config.digits, CHARACTERS).digest


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains on all characters equally often, drawn anew each time; the best epoch is that of the least loss."""
    import keras

    from library.framework.training.batches import Batches
    from library.framework.training.trainer import Trainer
    from library.sums.models.glyph_networks import build_reader

    pools = handwriting.load(config.digits, CHARACTERS)
    run.log_dataset(
        "glyphs",
        pools.digest,
        {"training": pools.train.images, "validation": pools.validation.images, "testing": pools.test.images},
    )
    keras.utils.set_random_seed(config.seed)
    model = build_reader(config, len(CHARACTERS))
    batches = Batches(
        np.arange(len(CHARACTERS)),
        batch_size=config.batch_size,
        steps=config.steps_per_epoch,
        seed=config.seed,
        render=partial(_render, pools.train, config.vary),
    )
    digits = pools.validation.ids < 10  # operators and blanks are drawn, not written, and easily read
    validation = (pools.validation.images[digits], pools.validation.ids[digits])
    return Trainer.of(config, monitor="val/loss", mode="min").fit(model, batches, validation, run, callbacks)


def _render(
    handwriting: Glyphs, vary: bool, arrays: tuple[np.ndarray, ...], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images of the characters of a batch, and the characters."""
    [ids] = arrays
    return handwriting.draw(ids, random, vary=vary), ids


def test(config: Config, model: "keras.Model", run: Run) -> Scores:
    """Reads every digit of the test handwriting once; operators and blanks are drawn, not written, and do not count."""
    pools = handwriting.load(config.digits, CHARACTERS)
    digits = pools.test.ids < 10
    return classification.score(model, pools.test.images[digits], pools.test.ids[digits], CHARACTERS, pools.digest, run)


def package(config: Config, model: "keras.Model", folder: Path) -> Package:
    """The network without its optimizer."""
    example = handwriting.load(config.digits, CHARACTERS).test.images[:1]
    return classification.package(model, example, CHARACTERS, folder, asked={"query": "digit.png"})


def ask(_: Config, query: str, __: str) -> Question:
    """A PNG of one character."""
    return Question(image_files.read(query, 1))


experiment = Experiment(
    config=Config,
    digest=digest,
    train=train,
    test=test,
    package=package,
    objectives={"val/accuracy": "maximize"},
    trial={"epochs": 5},
    prune_after=2,
    ask=ask,
)
