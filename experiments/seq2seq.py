"""Sums: an LSTM encoder-decoder that answers `45+23` with `68`, as text or as images.

    make train-seq2seq                              # the best known config, once
    make train-seq2seq TRAIN_FRACTION=0.1           # learns from 2,000 of the 20,000 queries
    make train-seq2seq MODALITY=image-to-text       # reads handwriting
    make train-seq2seq MODALITY=text-to-image       # draws handwriting; HANDWRITING=mean draws the average
    make train-seq2seq OPERATORS='*'                # products
    make tune-seq2seq                               # searches, then trains the winner in full
    make predict QUERY="45+23"                      # asks the Production version
    make predict MODALITY=image-to-text QUERY=query.png        # or a photograph: QUERY=photo.jpg OUT=characters.png
    make predict MODALITY=text-to-image QUERY="45+23" OUT=answer.png

DIGITS=mnist, or an .npz file, takes MNIST's handwriting instead of scikit-learn's. The measured scores and times are
in README.md and docs/results.md.
"""

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from experiments.glyph_reader import GlyphReader
from library.framework import images
from library.framework.experiment import Experiment, ModelArtifacts, PredictRequest, TestResult, TrainingResult
from library.framework.run import Callbacks, Run
from library.sums.config import Seq2SeqConfig
from library.sums.data import dataset, image_files, notation, photograph, queries, working

if TYPE_CHECKING:
    import keras


class Seq2Seq(Experiment):
    """An LSTM encoder-decoder of one modality; README.md tells the exact match to expect on unseen queries."""

    Config = Seq2SeqConfig
    objectives = {"val/exact_match": "maximize"}
    # At a third of the budget, from half the training queries, configs differ that would all be perfect in full.
    trial_overrides = {"epochs": 5, "validation_fraction": 0.5}
    # For half of it nearly all answers are wrong; which config will learn shows only then.
    prune_after = 3
    naming_fields = ("modality", "operators", "handwriting")
    data_fields = (
        "operators", "train_fraction", "validation_fraction", "split", "split_seed", "padding", "modality", "digits",
    )  # fmt: skip

    def load(self) -> dataset.SumsDataset:
        return dataset.load(self.config)

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        """Trains on the training queries; the best epoch has the best score on the validation queries.

        In text-to-text that is the loss, as all of a few hundred answers are soon right. With images or a scratchpad
        it is the exact match, as one digit that is confidently misread outweighs hundreds of answers in the loss.
        """
        from library.framework.training.batches import (
            Batches,
            Render,
        )  # here: tensorflow takes seconds, and --help should not
        from library.framework.training.trainer import Trainer

        config, data = self.config, self.data
        run.log_dataset(f"arithmetic-{config.split}", data.digest, data.inputs)
        model = self.build()
        training, notation = data.train.queries, queries.notation(config)
        if config.fact_families:
            training = queries.fact_families(training, notation)
        x, y = training.x, training.y
        render: Render = partial(data.train.render, vary=config.vary)
        if config.scratchpad:
            y, render = working.written(training, notation), working.render
        size, steps = config.batch_size, config.steps_per_epoch
        batches = Batches(x, y, batch_size=size, steps=steps, seed=config.seed, render=render)
        is_sure = config.modality == "text-to-text" and not config.scratchpad
        trainer = Trainer.of(config) if is_sure else Trainer.of(config, monitor="val/exact_match", mode="max")
        return trainer.fit(model, batches, data.validation.rendered(seed=0, at_least=1000), run, callbacks)

    def build(self) -> "keras.Model":
        """The compiled network of the modality."""
        import keras

        from library.sums.models import glyph_networks, image_to_text, scratchpad, seq2seq, text_to_image

        config, characters = self.config, queries.notation(self.config).characters
        readers = [self.evaluator] if config.draws_images else []
        if config.draws_images and config.handwriting == "varied":
            readers.append(self.teacher)
        readers = [glyph_networks.select_characters(one, GlyphReader.labels, characters) for one in readers]
        keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
        texts = scratchpad if config.scratchpad else seq2seq
        models = {"text-to-text": texts, "image-to-text": image_to_text, "text-to-image": text_to_image}
        return models[config.modality].build(config, *readers)

    @cached_property
    def dependencies(self) -> Sequence[GlyphReader]:
        """A glyph reader of the same digits, to evaluate images of answers."""
        return [GlyphReader(digits=self.config.digits)] if self.config.draws_images else []

    @cached_property
    def evaluator(self) -> "keras.Model":
        """The registered glyph reader, which scores images of answers."""
        from library.framework.registry.artifacts import load_trained_from

        return load_trained_from(self.dependencies[0]).network

    @cached_property
    def teacher(self) -> "keras.Model":
        """Another glyph reader, in whose features drawn images are to be like handwriting."""
        [reader] = self.dependencies
        fields = {"seed": (self.config.seed + 1) % 2**32, "epochs": 12, "pooling": False}
        return GlyphReader(reader.config.model_copy(update=fields)).reuse(reader).fit(Run()).model

    def reuse(self, other: Experiment) -> Self:
        """This experiment, with the data and the glyph readers of another where it depends on equal fields."""
        super().reuse(other)
        if all(getattr(self.config, one) == getattr(other.config, one) for one in ("digits", "seed")):
            vars(self).update({name: vars(other)[name] for name in ("evaluator", "teacher") if name in vars(other)})
        return self

    def test(self, model: "keras.Model", run: Run) -> TestResult:
        """Answers every test query once; reports exact match, its parts, and where and how it errs."""
        from library.sums import figures
        from library.sums.metrics import report, text_to_image
        from library.sums.models.seq2seq import inference_model

        config, split, notation = self.config, self.data.test, queries.notation(self.config)
        x, y = split.rendered(seed=0)
        if config.draws_images:
            ids, metrics, pictures = text_to_image.evaluate(model, split, y["images"], config.temperature)
        else:
            logits = inference_model(model).predict(x, batch_size=500, verbose=0)
            ids, metrics, pictures = np.argmax(logits, axis=-1), {}, {}
        answers, truth = notation.decode(ids), split.queries.answers
        evaluation = report.evaluate(split.queries, answers, notation)
        if config.reads_images:
            shown = np.argsort(evaluation.correct, kind="stable")[:24]  # wrong ones before right ones
            texts = ([each[i] for i in shown] for each in (answers, truth))
            pictures = {"readings": figures.answered_queries(x[shown], *texts)}
        for name, columns in evaluation.tables.items():
            run.log_table(name, columns)
        for name, figure in {**evaluation.figures, **pictures}.items():
            run.log_figure(name, figure)
        # With the digest where there are images: models are compared on examples that are the same to the pixel.
        suffix = "" if config.modality == "text-to-text" else f" in {self.dataset_digest}"
        scores = {text + suffix: float(one) for text, one in zip(split.queries.texts, evaluation.correct, strict=True)}
        return TestResult({**evaluation.metrics, **metrics}, scores, score="test/exact_match")

    def package(self, model: "keras.Model", folder: Path) -> ModelArtifacts:
        """The network without its optimizer, and its notation."""
        import keras

        from library.sums.models.seq2seq import inference_model

        config, split = self.config, self.data.test
        network, trained = folder / "network.keras", inference_model(model)
        keras.Model(trained.inputs, trained.outputs).save(network)
        x, y = split.render((split.queries.x[:1], split.queries.y[:1]), np.random.default_rng(0))
        query = f"45{config.operators[0]}23"
        settings = {"operators": config.operators, "padding": config.padding}
        cli_example = {"query": "query.png" if config.reads_images else query}
        return ModelArtifacts(
            code=Path(queries.__file__).parents[1] / "served" / f"{config.modality.replace('-', '_')}.py",
            files={"network": network, "notation": Path(notation.__file__)},
            settings=settings | ({"temperature": config.temperature} if config.draws_images else {}),
            params={"seed": 0} if config.draws_images else {},
            example=x if config.reads_images else [query],
            example_output=y["images"] if config.draws_images else list(split.queries.answers[:1]),
            cli_example=cli_example | ({"out": "answer.png"} if config.draws_images else {}),
        )

    @property
    def model_name(self) -> str:
        """A registered model for each modality, and others for products and for averages of handwriting."""
        products = "-products" if self.config.operators == "*" else ""
        mean = "-mean" if self.config.draws_images and self.config.handwriting == "mean" else ""
        return f"seq2seq-{self.config.modality}{products}{mean}"

    @property
    def num_threads(self) -> int | None:
        """All cores for convolutions; small LSTMs are 1.4 times as fast on one as on two (batches of 64)."""
        return 1 if self.config.modality == "text-to-text" else None

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """A query as text or as an image; images of an answer, or of a photograph's characters, go to a file."""
        config = self.config
        if config.reads_images and photograph.is_photograph(query):
            target = images.check_target(out or f"{Path(query).stem}-characters.png")
            read = photograph.read_sum(query, config.operators, config.padding)
            return PredictRequest(
                read[np.newaxis], lambda answers: f"{answers[0]}  (read from {image_files.write(read, target)})"
            )
        if out and not config.draws_images:
            raise ValueError(f"out: got {out!r}, but the answer is a text and is printed; leave it out")
        if config.reads_images:
            return PredictRequest(image_files.read(query, notation.QUERY_LENGTH)[np.newaxis])
        queries.notation(config).parse(query)
        if not config.draws_images:
            return PredictRequest([query])
        target = images.check_target(out)
        return PredictRequest([query], lambda answers: image_files.write(answers[0], target), {"seed": seed})
