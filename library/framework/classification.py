"""Classifiers: what their experiments have in common, so that examples, a network and labels make one."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .errors import UserError
from .experiment import Experiment, ModelArtifacts, PredictRequest, TestResult, TrainingResult
from .run import Callbacks, Run
from .training.splits import Examples

if TYPE_CHECKING:
    import keras

CODE = Path(__file__).parent / "serving" / "classifier_model.py"
MAX_TYPED = 1000
"""Numbers of an example that is typed as a query; a larger one is kept in a file."""


class Classifier(Experiment):
    """An experiment of examples, a network and labels; the best epoch has the least loss on validation examples.

    To be defined: `Config`, `labels`, `load` and `build`. `load` gives `Examples` whose y are the indices of the right
    labels, `[n]` integers.

    Attributes:
        labels: what a registered model answers.
    """

    labels: ClassVar[Sequence[str]]
    objectives = {"val/accuracy": "maximize"}

    def load(self) -> Examples:
        """The examples of this config, with the indices of their labels as y, `[n]` integers."""
        raise NotImplementedError

    def build(self) -> "keras.Model":
        """A network with an output for each label, compiled with a loss and `metrics=["accuracy"]`."""
        raise NotImplementedError

    @cached_property
    def data(self) -> Examples:
        """What `load` gave; UserError where y are no indices of labels."""
        examples = self.load()
        for _, y in (examples.train, examples.validation, examples.test):
            values = np.unique(y)
            if y.dtype.kind not in "iu" or y.ndim != 1 or values[0] < 0 or values[-1] >= len(self.labels):
                raise UserError(
                    f"y: got {y.dtype} {list(y.shape)} from {values[0]} to {values[-1]}; allowed is integers [n] "
                    f"from 0 to {len(self.labels) - 1}, the indices of {len(self.labels)} labels"
                )
        return examples

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        import keras

        from .training.batches import Batches
        from .training.trainer import Trainer

        data, config = self.data, self.config
        run.log_dataset(self.name, data.digest, data.inputs)
        keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
        model = self.build()
        if model.output_shape != (None, len(self.labels)):
            got, allowed = model.output_shape, f"one for each of {len(self.labels)} labels"
            raise UserError(f"build: got outputs {got}; allowed is {allowed}")
        batches = Batches(*data.train, batch_size=config.batch_size, steps=config.steps_per_epoch, seed=config.seed)
        return Trainer.of(config).fit(model, batches, data.validation, run, callbacks)

    def test(self, model: "keras.Model", run: Run) -> TestResult:
        return score(model, *self.data.test, self.labels, self.dataset_digest, run)

    def package(self, model: "keras.Model", folder: Path) -> ModelArtifacts:
        example = self.data.test[0][:1]
        typed = json.dumps(example[0].tolist(), separators=(",", ":")) if example.size <= MAX_TYPED else "example.npy"
        return package(model, example, self.labels, folder, {"query": typed})

    def parse_query(self, query: str, out: str) -> PredictRequest:
        """One example, written as a list (of lists, for an image), or the path of an `.npy` file."""
        like = self.data.test[0]
        allowed = f"allowed is {like.dtype} {list(like.shape[1:])}, as a list such as [1,2,3] or in an .npy file"
        try:
            given = np.array(np.load(query) if query.endswith(".npy") else json.loads(query))
            with np.errstate(invalid="ignore"):
                example = given.astype(like.dtype)
        except Exception as error:  # json and numpy raise many kinds where there are no numbers
            raise ValueError(f"query: {query[:60]!r} cannot be read ({str(error)[:60]}); {allowed}") from None
        if example.shape != like.shape[1:] or (like.dtype.kind != "f" and (example != given).any()):
            raise ValueError(f"query: got {given.dtype} {list(given.shape)}, {query[:60]!r}; {allowed}")
        return PredictRequest(example[np.newaxis])


def score(
    model: "keras.Model", x: np.ndarray, y: np.ndarray, labels: Sequence[str], digest: str, run: Run
) -> TestResult:
    """The share of examples that a network labels rightly, with its 95 % interval, and a confusion matrix.

    Args:
        model: with an output for each label.
        x: the test examples, `[n, ...]`, n at least 1.
        y: the indices of their labels, `[n]`.
        labels: of the confusion matrix.
        digest: of the data: models are compared on the same examples alone.
        run: gets the figure `confusions`.
    """
    from .plots import confusions
    from .statistics import wilson_interval

    predicted = np.argmax(model.predict(x, batch_size=1000, verbose=0), axis=-1)
    counts = np.zeros((1, len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts[0], (y, predicted), 1)
    run.log_figure("confusions", confusions(counts, labels))
    right = predicted == y
    low, high = wilson_interval(int(right.sum()), len(right))
    return TestResult(
        metrics={
            "test/accuracy": float(right.mean()),
            "test/accuracy_low": low,
            "test/accuracy_high": high,
            "test/examples": float(len(right)),
        },
        per_example_scores={f"{i} in {digest}": float(one) for i, one in enumerate(right)},
        score="test/accuracy",
    )


def package(
    model: "keras.Model", example: np.ndarray, labels: Sequence[str], folder: Path, cli_example: dict[str, Any]
) -> ModelArtifacts:
    """The network without its optimizer, and its labels.

    Args:
        model: with an output for each label.
        example: `[1, ...]`, of the shape and type that the registered model will take.
        labels: in the order of the outputs.
        folder: where to write the network.
        cli_example: options of `predict` that ask for the label of the example.
    """
    import keras

    network = folder / "network.keras"
    keras.Model(model.inputs, model.outputs).save(network)
    return ModelArtifacts(
        code=CODE,
        files={"network": network},
        settings={"type": str(example.dtype), "shape": list(example.shape[1:]), "labels": list(labels)},
        example=example,
        example_output=[labels[0]],
        cli_example=cli_example,
    )
