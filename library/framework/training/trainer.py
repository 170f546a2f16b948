"""The Trainer: fits any compiled Keras model and reports every epoch; it never asks which model it is."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import keras

from ..config import ScheduleConfig
from ..experiment import TrainingResult
from ..run import Callbacks, Run
from . import checkpoints
from .callbacks import BestEpoch
from .resuming import Checkpoint


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
        settings = {"epochs": self.epochs, "verbose": 0, "shuffle": False}
        model.fit(train, validation_data=validation, callbacks=every, **settings)
        model.set_weights(best.weights)
        return TrainingResult(model, best.metrics, best.epoch)
