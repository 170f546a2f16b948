"""Sums: an LSTM encoder-decoder that answers `45+23` with `68`.

    make train-seq2seq                      # the best known config, once
    make train-seq2seq TRAIN_FRACTION=0.1   # learns from 2,000 of the 20,000 queries
    make tune-seq2seq                       # searches, then trains the winner in full
    make predict QUERY="45+23"              # asks the Production version

The measured scores and times are in README.md.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from library.configs import ArithmeticConfig, Seq2SeqConfig
from library.data import arithmetic, notation
from library.experiment import Callbacks, Experiment, Package, Result, Run, Scores

if TYPE_CHECKING:
    import keras

LIBRARY = Path(arithmetic.__file__).parents[1]


class Config(ArithmeticConfig, Seq2SeqConfig):
    """Which queries, which network, and how to train it."""

    modality: Literal["text-to-text"] = Field("text-to-text", description="what a query and an answer are made of")

    @model_validator(mode="after")
    def _pairs_need_alignment(self) -> Self:
        if self.reading_order == "pairs" and self.padding != "left":
            raise ValueError("reading_order: got 'pairs' with padding='right'; allowed is padding='left', which aligns")
        return self


def digest(config: Config) -> str:
    """Names the exact queries of each split, as they are written."""
    return arithmetic.load(config).digest


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains on the training queries; the best epoch is that of the least loss on the validation queries.

    Not that of the most exact matches: among a few hundred queries these are soon all, epoch after epoch.
    """
    import keras  # here, not above: tensorflow takes seconds, and --help or a bad value should not

    from library.data.batches import Batches
    from library.models import seq2seq
    from library.training import Trainer

    data = arithmetic.load(config)
    run.log_dataset(
        f"arithmetic-{config.split}",
        data.digest,
        {"training": data.train.x, "validation": data.validation.x, "testing": data.test.x},
    )
    keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
    model = seq2seq.build(config)
    batches = Batches(
        data.train.x, data.train.y, batch_size=config.batch_size, steps=config.steps_per_epoch, seed=config.seed
    )
    trainer = Trainer.of(config, monitor="val/loss", mode="min")
    return trainer.fit(model, batches, (data.validation.x, data.validation.y), run, callbacks)


def test(config: Config, model: "keras.Model", run: Run) -> Scores:
    """Answers every test query; reports exact match, its parts, where it errs, and each wrong answer."""
    from library.evaluation import figures, sequences
    from library.evaluation.comparison import wilson_interval

    queries = arithmetic.load(config).test
    answers = notation.decode(np.argmax(model.predict(queries.x, batch_size=1000, verbose=0), axis=-1))
    right = sequences.exact_matches(queries.answers, answers)
    left, other, minus = arithmetic.operands(queries)
    low, high = wilson_interval(int(right.sum()), len(right))
    run.log_figure("wrong-answers", figures.operand_errors(left, other, minus, ~right))
    run.log_table("wrong-answers", {
        "query": np.array(queries.texts)[~right],
        "truth": np.array(queries.answers)[~right],
        "answer": np.array(answers)[~right],
    })  # fmt: skip
    return Scores(
        metrics={
            "test/exact_match": float(right.mean()),
            "test/exact_match_low": low,
            "test/exact_match_high": high,
            "test/exact_match_addition": float(right[~minus].mean()),
            "test/exact_match_subtraction": float(right[minus].mean()),
            "test/per_character": sequences.per_character(queries.answers, answers, notation.ANSWER_LENGTH),
            "test/queries": float(len(right)),
        },
        outcomes=dict(zip(queries.texts, map(float, right), strict=True)),
    )


def package(config: Config, model: "keras.Model", folder: Path) -> Package:
    """The network without its optimizer, and the notation it was trained with."""
    import keras

    network = folder / "network.keras"
    keras.Model(model.inputs, model.outputs).save(network)
    return Package(
        code=LIBRARY / "serving" / "arithmetic.py",
        files={"network": network, "notation": Path(notation.__file__)},
        settings={"padding": config.padding},
        example=["45+23"],
    )


def model_name(config: Config) -> str:
    """One registered model for each modality."""
    return f"seq2seq-{config.modality}"


experiment = Experiment(
    config=Config,
    digest=digest,
    train=train,
    test=test,
    package=package,
    model_name=model_name,
    objective="val/exact_match",
    direction="maximize",
    # At a fifth of the budget, from half the training queries, configs differ that would all be perfect in full.
    trial={"epochs": 8, "validation_fraction": 0.5},
    # For half of it nearly all answers are wrong; which config will learn shows only then.
    prune_after=4,
    # Steps this small are faster on one core than shared between two (1.4 times at 128 units, batches of 64).
    cores=1,
    check_query=notation.parse,
)
