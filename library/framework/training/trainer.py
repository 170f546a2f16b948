"""The Trainer: fits any compiled Keras model and reports every epoch; it never asks which model it is."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import keras

from ..config import ScheduleConfig
from ..errors import NotFinite
from ..experiment import Result
from ..run import Callbacks, Enough, Run


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """How to train: for how many epochs, and by which score an epoch is the best.

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
        """The trainer that a config asks for."""
        return cls(epochs=config.epochs, patience=config.patience, minutes=config.minutes, monitor=monitor, mode=mode)

    def fit(
        self, model: keras.Model, train: Any, validation: Any, run: Run | None = None, callbacks: Callbacks = ()
    ) -> Result:
        """Trains a compiled model and leaves it with the weights of its best epoch.

        Args:
            model: compiled; its metrics are reported as `train/NAME` and `val/NAME`.
            train: whatever `keras.Model.fit` takes as x, such as `library.framework.training.batches.Batches`.
            validation: whatever it takes as validation_data.
            run: where metrics go, one batch of them an epoch.
            callbacks: called after every epoch; what they raise ends the training, `Enough` as if it were over.

        Raises:
            NotFinite: a metric became infinite or not a number; names the epoch and the metric.
        """
        keeper = _Keeper(self, run or Run(), callbacks)
        model.fit(train, validation_data=validation, epochs=self.epochs, verbose=0, callbacks=[keeper], shuffle=False)
        model.set_weights(keeper.weights)
        return Result(model, keeper.metrics, keeper.epoch)


class _Keeper(keras.callbacks.Callback):
    """Reports an epoch, keeps the best one's weights, stops when patience is at its end."""

    def __init__(self, trainer: Trainer, run: Run, callbacks: Callbacks) -> None:
        super().__init__()
        self._trainer, self._run, self._callbacks = trainer, run, callbacks
        self._best = -math.inf
        self._improved = 0
        self._began = time.perf_counter()
        self.epoch = 0
        self.metrics: dict[str, float] = {}
        self.weights: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        metrics = {_slashed(name): float(value) for name, value in (logs or {}).items()}
        _check_finite(epoch + 1, metrics)
        self._run.log_metrics(metrics, step=epoch + 1)
        self._keep_if_best(epoch + 1, metrics)
        if self._is_enough(epoch + 1, metrics) or self._is_over(epoch + 1):
            self.model.stop_training = True

    def _is_enough(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Calls every callback, and tells whether one of them has had enough."""
        enough = False
        for callback in self._callbacks:
            try:
                callback(epoch, metrics)
            except Enough:
                enough = True
        return enough

    def _is_over(self, epoch: int) -> bool:
        impatient = bool(self._trainer.patience) and epoch - self._improved >= self._trainer.patience
        late = bool(self._trainer.minutes) and time.perf_counter() - self._began >= 60 * self._trainer.minutes
        return impatient or late

    def _keep_if_best(self, epoch: int, metrics: dict[str, float]) -> None:
        score = metrics[self._trainer.monitor] * (1 if self._trainer.mode == "max" else -1)
        if score > self._best:
            self._improved = epoch
        if score >= self._best:
            self._best, self.epoch, self.metrics = score, epoch, metrics
            self.weights = self.model.get_weights()


def _slashed(name: str) -> str:
    """Keras's name of a metric as this project's: `val_loss` is `val/loss`, `loss` is `train/loss`."""
    return f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"


def _check_finite(epoch: int, metrics: Mapping[str, float]) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NotFinite(f"{name} is {value} after epoch {epoch}: lower the learning rate or the clip norm")
