"""The Trainer: fits any compiled Keras model and reports every epoch; it never asks which model it is."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

import keras

from ..config import ScheduleConfig
from ..experiment import TrainingResult
from ..run import Callbacks, Run
from . import checkpoints
from .callbacks import BestEpoch
from .resuming import Checkpoint

MAX_VALIDATION_BATCH = 512
"""Examples in a batch of validation data, where XLA compiles the network."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """How to train: for how many epochs, and by which metric an epoch is the best.

    Attributes:
        epochs: how often to go through the training batches.
        monitor: the metric that tells the best epoch, as in `val/loss`; of equal ones the last is best.
        mode: whether more or less of it is better.
        patience: epochs without a better one after which to stop; 0 never stops.
        minutes: after which to stop at the end of an epoch; 0 never stops.
    """

    epochs: int
    monitor: str = "val/loss"
    mode: Literal["max", "min"] = "min"
    patience: int = 0
    minutes: float = 0

    @classmethod
    def of(cls, config: ScheduleConfig, monitor: str = "val/loss", mode: Literal["max", "min"] = "min") -> Self:
        """The trainer of a config."""
        return cls(epochs=config.epochs, patience=config.patience, minutes=config.minutes, monitor=monitor, mode=mode)

    def fit(
        self, model: keras.Model, train: Any, validation: Any, run: Run | None = None, callbacks: Callbacks = ()
    ) -> TrainingResult:
        """Trains a compiled model and leaves it with the weights of its best epoch.

        If a training of the same config was killed, it goes on after its last checkpoint, provided that `train` is a
        `keras.utils.PyDataset`, whose batches depend on nothing but how often its `on_epoch_end` was called.

        Args:
            model: compiled; its metrics are reported as `train/NAME` and `val/NAME`.
            train: whatever `keras.Model.fit` takes as x, such as `Batches`.
            validation: whatever it takes as validation_data.
            run: where metrics go, one batch of them an epoch.
            callbacks: any `keras.callbacks.Callback`; called after an epoch was reported.

        Raises:
            NotFinite: a metric became infinite or not a number; names the epoch and the metric.
            UnknownMetric: the first epoch has no metric of the monitor's name.
        """
        run = run or Run()
        best = BestEpoch(run, self.monitor, self.mode, self.patience, self.minutes)
        every = [best, *callbacks]
        if (kept := checkpoints.current()) and isinstance(train, keras.utils.PyDataset):
            every.append(Checkpoint(kept, best, callbacks, [train, validation], run))
        settings = {"epochs": self.epochs, "verbose": 0, "shuffle": False, **_compile_once(model, train, validation)}
        if keras.backend.backend() == "tensorflow":
            from .tensorflow_data import untuned

            size = settings.get("validation_batch_size", 32)
            train, validation, own = untuned(model, train, validation, size)
            every = [*own, *every]
        model.fit(train, validation_data=validation, callbacks=every, **settings)
        model.set_weights(best.weights)
        return TrainingResult(model, best.metrics, best.epoch)


def _compile_once(model: keras.Model, train: Any, validation: Any) -> dict[str, int]:
    """Prepares a model so that each of its steps is traced and compiled once; returns what `fit` must be given for it.

    Variables of metrics and of the optimizer that are made in the first step have TensorFlow trace it twice. XLA
    compiles anew for each size of a batch, such as that of the last batch of validation data.
    """
    if model.run_eagerly or type(model).train_step is not keras.Model.train_step:
        return {}
    if isinstance(train, keras.utils.PyDataset):
        model._symbolic_build(data_batch=train[0])
    sizes = {len(array) for array in keras.tree.flatten(validation) if hasattr(array, "shape")}
    return {"validation_batch_size": equal_batches(*sizes)} if model.jit_compile and len(sizes) == 1 else {}


def equal_batches(examples: int) -> int:
    """The size of as few batches as `MAX_VALIDATION_BATCH` allows; up to twice as many, if these are all equal."""
    least = math.ceil(examples / MAX_VALIDATION_BATCH)
    return math.ceil(examples / next((one for one in range(least, 2 * least + 1) if examples % one == 0), least))
