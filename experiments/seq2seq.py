"""Sums: an LSTM encoder-decoder that answers `45+23` with `68`, as text or as images.

    make train-seq2seq                              # the best known config, once
    make train-seq2seq TRAIN_FRACTION=0.1           # learns from 2,000 of the 20,000 queries
    make train-seq2seq MODALITY=image-to-text       # reads handwriting
    make train-seq2seq MODALITY=text-to-image       # writes by hand; HANDWRITING=mean draws averages
    make train-seq2seq OPERATORS='*'                # products
    make tune-seq2seq                               # searches, then trains the winner in full
    make predict QUERY="45+23"                      # asks the Production version
    make predict MODALITY=image-to-text QUERY=query.png
    make predict MODALITY=text-to-image QUERY="45+23" OUT=answer.png

DIGITS=mnist, or an .npz file, takes MNIST's handwriting instead of scikit-learn's. The measured scores and times are
in README.md and docs/results.md.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import model_validator

from experiments import glyph_reader
from library.framework import images
from library.framework.experiment import Experiment, Package, Question, Result, Scores
from library.framework.run import Callbacks, Run
from library.sums.config import Seq2SeqConfig
from library.sums.data import dataset, image_files, notation, queries
from library.sums.data.handwriting import Glyphs
from library.sums.data.queries import Queries

if TYPE_CHECKING:
    import keras

SERVING = Path(queries.__file__).parents[1] / "served"
READINGS = 24  # queries by hand that are shown with their answers
DRAWINGS = 16  # of one answer, to see how much they vary


class Config(Seq2SeqConfig):
    """Which queries, which network, and how to train it."""

    @model_validator(mode="after")
    def _pairs_need_alignment(self) -> Self:
        if self.reading_order == "pairs" and self.padding != "left":
            raise ValueError("reading_order: got 'pairs' with padding='right'; allowed is padding='left', which aligns")
        return self


def digest(config: Config) -> str:
    """Names the exact queries of each split, as they are written or drawn."""
    return dataset.load(config).digest


def needs(config: Config) -> dict[str, glyph_reader.Config]:
    """A reader of the same digits, to judge drawn answers."""
    return {"glyph-reader": glyph_reader.Config(digits=config.digits)} if config.draws_images else {}


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains on the training queries; the best epoch is that of the best score on the validation queries.

    Where all is text that is the loss: of a few hundred answers all are soon right, epoch after epoch. Where characters
    are images it is the exact match: a single misread digit, surely misread, outweighs hundreds of answers in the loss.
    """
    from library.framework.training.batches import (
        Batches,  # here, not above: tensorflow takes seconds, and --help should not
    )
    from library.framework.training.trainer import Trainer

    data = dataset.load(config)
    queries = {"training": data.train, "validation": data.validation, "testing": data.test}
    run.log_dataset(
        f"arithmetic-{config.split}", data.digest, {split: part.queries.x for split, part in queries.items()}
    )
    model = _build(config)
    batches = Batches(
        data.train.queries.x,
        data.train.queries.y,
        batch_size=config.batch_size,
        steps=config.steps_per_epoch,
        seed=config.seed,
        render=partial(data.train.render, vary=config.vary),
    )
    if config.modality == "text-to-text":
        trainer = Trainer.of(config, monitor="val/loss", mode="min")
    else:
        trainer = Trainer.of(config, monitor="val/exact_match", mode="max")
    return trainer.fit(model, batches, data.validation.rendered(seed=0, at_least=1000), run, callbacks)


def _build(config: Config) -> "keras.Model":
    """The network of a modality, compiled; drawings are judged by a registered reader, and taught by another."""
    import keras

    from library.framework import registry
    from library.sums.models import image_to_text, seq2seq, text_to_image

    judge = teacher = None
    if config.draws_images:
        [reader] = needs(config).values()
        name = glyph_reader.experiment.model_name(reader)
        registered = registry.load_trained_from(name, reader, glyph_reader.digest(reader))
        judge = _in_order(registered.network, config)
        if config.handwriting == "varied":
            other = {"seed": (config.seed + 1) % 2**32, "epochs": 12, "pooling": False}
            teacher = _in_order(_teacher(reader.model_copy(update=other)), config)
    keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
    if judge:
        return text_to_image.build(config, judge, teacher)
    return (image_to_text if config.reads_images else seq2seq).build(config)


@lru_cache(maxsize=1)
def _teacher(config: glyph_reader.Config) -> "keras.Model":
    """A reader for the time of a training; trials with the same one share it."""
    return glyph_reader.train(config, Run(), ()).model


def _in_order(reader: "keras.Model", config: Config) -> "keras.Model":
    """A reader whose logits are in the order of the notation's characters."""
    import keras
    from keras import ops

    columns = tuple(map(glyph_reader.CHARACTERS.index, queries.notation(config).characters))
    return keras.Model(reader.inputs[0], ops.take(reader.outputs[0], columns, axis=-1))


def _answering(model: "keras.Model") -> "keras.Model":
    """The part of a model that answers, without what it needs to learn."""
    return getattr(model, "answering", model)


def test(config: Config, model: "keras.Model", run: Run) -> Scores:
    """Answers every test query once; reports exact match, its parts, and where and how it errs."""
    from library.sums import figures
    from library.sums.metrics import report

    data = dataset.load(config)
    x, y = data.test.rendered(seed=0)
    if config.draws_images and data.test.handwriting:
        ids, drawn = _drawn(model, config.temperature, data.test.queries, data.test.handwriting, y, run)
    else:
        ids, drawn = np.argmax(_answering(model).predict(x, batch_size=500, verbose=0), axis=-1), {}
    notation = queries.notation(config)
    given = notation.decode(ids)
    evaluation = report.evaluate(data.test.queries, given, notation)
    for name, columns in evaluation.tables.items():
        run.log_table(name, columns)
    for name, figure in evaluation.figures.items():
        run.log_figure(name, figure)
    if config.reads_images:
        shown = np.argsort(evaluation.right, kind="stable")[:READINGS]  # wrong ones before right ones
        told, true = ([texts[i] for i in shown] for texts in (given, data.test.queries.answers))
        run.log_figure("readings", figures.readings(x[shown], told, true))
    # Named after the handwriting too: models are compared on examples that are the same to the pixel.
    hand = "" if config.modality == "text-to-text" else f" in {data.digest}"
    names = (text + hand for text in data.test.queries.texts)
    return Scores({**evaluation.metrics, **drawn}, dict(zip(names, map(float, evaluation.right), strict=True)))


def _drawn(
    model: "keras.Model",
    temperature: float,
    part: Queries,
    handwriting: Glyphs,
    truth: Mapping[str, np.ndarray],
    run: Run,
) -> tuple[np.ndarray, dict[str, float]]:
    """The ids that the judge reads in a drawing of each answer, and how much the drawings are like people's."""
    from library.sums import figures
    from library.sums.metrics import drawings
    from library.sums.models.text_to_image import draw

    random = np.random.default_rng(0)
    drawn = draw(model.answering, part.x, random, temperature)
    count = min(100, len(part))
    some = np.arange(count).repeat(DRAWINGS)
    shape = (count, DRAWINGS, *drawn.shape[1:])
    again = draw(model.answering, part.x[some], random, temperature).reshape(shape)
    people = handwriting.draw(part.y[some], random).reshape(shape)
    for name, shown in (("drawings", again), ("drawings-by-people", people)):
        rows = {f"{part.texts[i]} = {part.answers[i]}": np.concatenate(shown[i, :8]) for i in range(min(10, count))}
        run.log_figure(name, figures.image_rows(rows))
    return drawings.look(model.judge, drawn)[1], {
        **drawings.likeness(model.judge, drawn, truth["images"], part.y),
        **drawings.variety(model.judge, again, people, part.y[:count]),
        **drawings.errors_of(model.judge, handwriting),
    }


def package(config: Config, model: "keras.Model", folder: Path) -> Package:
    """The network without its optimizer, and the notation it was trained with."""
    import keras

    network = folder / "network.keras"
    trained = _answering(model)
    keras.Model(trained.inputs, trained.outputs).save(network)
    part = dataset.load(config).test
    x, y = part.render((part.queries.x[:1], part.queries.y[:1]), np.random.default_rng(0))
    return Package(
        code=SERVING / f"{config.modality.replace('-', '_')}.py",
        files={"network": network, "notation": Path(notation.__file__)},
        settings={
            "operators": config.operators,
            "padding": config.padding,
            **({"temperature": config.temperature} if config.draws_images else {}),
        },
        params={"seed": 0} if config.draws_images else {},
        example=x if config.reads_images else [f"45{config.operators[0]}23"],
        answer=y["images"] if config.draws_images else list(part.queries.answers[:1]),
        asked={
            "query": "query.png" if config.reads_images else f"45{config.operators[0]}23",
            **({"out": "answer.png"} if config.draws_images else {}),
        },
    )


def model_name(config: Config) -> str:
    """One registered model for each modality, and others for products and for averages instead of handwriting."""
    products = "-products" if config.operators == "*" else ""
    averages = "-mean" if config.draws_images and config.handwriting == "mean" else ""
    return f"seq2seq-{config.modality}{products}{averages}"


def ask(config: Config, query: str, out: str) -> Question:
    """A query as text or as a picture of it; a drawn answer goes to a file."""
    if out and not config.draws_images:
        raise ValueError(f"out: got {out!r}, but the answer is a text and is printed; leave it out")
    if config.reads_images:
        return Question(image_files.read(query, notation.QUERY_LENGTH)[np.newaxis])
    queries.notation(config).parse(query)
    if not config.draws_images:
        return Question([query])
    target = images.check_target(out)

    def show(answers: np.ndarray) -> str:
        image_files.write(answers[0], target)
        return str(target)

    return Question([query], show, params={"seed": config.seed})


def cores(config: Config) -> int | None:
    """All for convolutions; LSTMs of this size are faster on one than shared between two (1.4 times, batches of 64)."""
    return None if config.reads_images or config.draws_images else 1


experiment = Experiment(
    config=Config,
    digest=digest,
    train=train,
    test=test,
    package=package,
    model_name=model_name,
    objectives={"val/exact_match": "maximize"},
    # At a fifth of the budget, from half the training queries, configs differ that would all be perfect in full.
    trial={"epochs": 8, "validation_fraction": 0.5},
    # For half of it nearly all answers are wrong; which config will learn shows only then.
    prune_after=4,
    cores=cores,
    ask=ask,
    needs=needs,
)
