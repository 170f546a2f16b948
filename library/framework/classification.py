"""Classifiers: what their experiments have in common, so that examples, a network and labels make one.

Training, scores, serving and questions are alike in all of them. An experiment that trains in its own way takes what
it needs, as `experiments/glyph_reader.py` does.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from .config import TrainingConfig
from .errors import UserError
from .experiment import Experiment, Package, Question, Result, Scores, name_of_file
from .run import Callbacks, Run
from .training.splits import Examples

if TYPE_CHECKING:
    import keras

T = TypeVar("T", bound=TrainingConfig)
SERVING = Path(__file__).parent / "serving" / "classifier_model.py"


def experiment(
    *,
    config: type[T],
    load: Callable[[T], Examples],
    build: "Callable[[T], keras.Model]",
    labels: Sequence[str],
    trial: Mapping[str, Any],
    prune_after: int = 0,
) -> Experiment[T]:
    """An experiment that learns what examples show; the best epoch is that of the least loss on validation examples.

    Args:
        config: a class in the file of the experiment, after which the registered model is named.
        load: the examples of a config, with the place of the right label among the labels as y, `[n]` integers.
        build: a network with an output for each label, compiled with a loss and `metrics=["accuracy"]`.
        labels: what a registered model answers.
        trial: config values that make a trial cheap.
        prune_after: epochs in which a trial is never pruned.
    """
    task = _Task(load, build, tuple(labels))
    return Experiment(
        config=config,
        digest=_With(task, _digest),
        train=_With(task, _train),
        test=_With(task, _test),
        package=_With(task, _package),
        ask=_With(task, _ask),
        objectives={"val/accuracy": "maximize"},
        trial=trial,
        prune_after=prune_after,
    )


def score(model: "keras.Model", x: np.ndarray, y: np.ndarray, labels: Sequence[str], digest: str, run: Run) -> Scores:
    """The share of examples that a network knows, with its 95 % interval; reports what it takes for what.

    Args:
        model: with an output for each label.
        x: the test examples, `[n, ...]`, n at least 1.
        y: the places of their labels, `[n]`.
        labels: by which mistakes are told.
        digest: of the data: models are compared on the same examples alone.
        run: gets the figure `confusions`.
    """
    from . import plots
    from .statistics import wilson_interval

    answers = np.argmax(model.predict(x, batch_size=1000, verbose=0), axis=-1)
    counts = np.zeros((1, len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts[0], (y, answers), 1)
    run.log_figure("confusions", plots.confusions(counts, labels))
    right = answers == y
    low, high = wilson_interval(int(right.sum()), len(right))
    return Scores(
        metrics={
            "test/accuracy": float(right.mean()),
            "test/accuracy_low": low,
            "test/accuracy_high": high,
            "test/examples": float(len(right)),
        },
        outcomes={f"{i} in {digest}": float(one) for i, one in enumerate(right)},
    )


def package(
    model: "keras.Model", example: np.ndarray, labels: Sequence[str], folder: Path, asked: Mapping[str, str]
) -> Package:
    """The network without its optimizer, and the labels that it answers with.

    Args:
        model: with an output for each label.
        example: `[1, ...]`, of the shape and type that the registered model will take.
        labels: in the order of the outputs.
        folder: where to write the network.
        asked: options of `predict` that ask for the example.
    """
    import keras

    network = folder / "network.keras"
    keras.Model(model.inputs, model.outputs).save(network)
    return Package(
        code=SERVING,
        files={"network": network},
        settings={"type": str(example.dtype), "shape": list(example.shape[1:]), "labels": list(labels)},
        example=example,
        answer=[labels[0]],
        asked=asked,
    )


@dataclass(frozen=True)
class _Task(Generic[T]):
    """What an experiment's functions share."""

    load: Callable[[T], Examples]
    build: "Callable[[T], keras.Model]"
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _With:
    """A function of this module with its task; unlike a `partial` it equals its copy in a worker process."""

    task: _Task[Any]
    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(self.task, *arguments)


@lru_cache(maxsize=1)
def _examples(task: _Task[T], config: T) -> Examples:
    """Those of a config, checked; kept for the next call."""
    examples = task.load(config)
    for _, y in (examples.train, examples.validation, examples.test):
        values = np.unique(y)
        if y.dtype.kind not in "iu" or y.ndim != 1 or values[0] < 0 or values[-1] >= len(task.labels):
            raise UserError(
                f"y: got {y.dtype} {list(y.shape)} from {values[0]} to {values[-1]}; "
                f"allowed is integers [n] from 0 to {len(task.labels) - 1}, the places of {len(task.labels)} labels"
            )
    return examples


def _digest(task: _Task[T], config: T) -> str:
    return _examples(task, config).digest


def _train(task: _Task[T], config: T, run: Run, callbacks: Callbacks) -> Result:
    import keras

    from .training.batches import Batches
    from .training.trainer import Trainer

    examples = _examples(task, config)
    run.log_dataset(name_of_file(config), examples.digest, examples.inputs)
    keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
    model = task.build(config)
    if model.output_shape != (None, len(task.labels)):
        raise UserError(
            f"build: got outputs {model.output_shape}; allowed is one for each of {len(task.labels)} labels"
        )
    batches = Batches(*examples.train, batch_size=config.batch_size, steps=config.steps_per_epoch, seed=config.seed)
    return Trainer.of(config).fit(model, batches, examples.validation, run, callbacks)


def _test(task: _Task[T], config: T, model: "keras.Model", run: Run) -> Scores:
    examples = _examples(task, config)
    return score(model, *examples.test, task.labels, examples.digest, run)


def _package(task: _Task[T], config: T, model: "keras.Model", folder: Path) -> Package:
    example = _examples(task, config).test[0][:1]
    typed = example.size <= 1000  # more is no longer typed, but kept in a file
    asked = {"query": json.dumps(example[0].tolist(), separators=(",", ":")) if typed else "example.npy"}
    return package(model, example, task.labels, folder, asked)


def _ask(task: _Task[T], config: T, query: str, _: str) -> Question:
    """One example, written as a list (of lists, for an image) or kept in a file of numpy's."""
    like = _examples(task, config).test[0]
    allowed = f"allowed is {like.dtype} {list(like.shape[1:])}, as a list such as [1,2,3] or in an .npy file"
    try:
        given = np.array(np.load(query) if query.endswith(".npy") else json.loads(query))
        with np.errstate(invalid="ignore"):
            example = given.astype(like.dtype)
    except Exception as error:  # json and numpy have theirs for each way in which there are no numbers
        raise ValueError(f"query: {query[:60]!r} cannot be read ({str(error)[:60]}); {allowed}") from None
    if example.shape != like.shape[1:] or (like.dtype.kind != "f" and (example != given).any()):
        raise ValueError(f"query: got {given.dtype} {list(given.shape)}, {query[:60]!r}; {allowed}")
    return Question(example[np.newaxis])
