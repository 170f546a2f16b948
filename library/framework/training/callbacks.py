"""Keras callbacks of the framework: to report each epoch, keep the best weights, call functions after an epoch."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

import keras

from ..errors import NotFinite, UnknownMetric, unknown
from ..run import Run, StopTraining

OnEpoch = Callable[[int, Mapping[str, float]], object]


class EpochCallback(keras.callbacks.Callback):
    """Calls a function after every epoch with its number, from 1, and its metrics (`val/loss`, ...).

    The function may raise `StopTraining` to end the training after this epoch; anything else it raises is passed on.
    Where a training goes on after a kill, `earlier` is called likewise, if it is given, for each epoch before.
    """

    def __init__(self, function: OnEpoch, earlier: OnEpoch | None = None) -> None:
        super().__init__()
        self._function = function
        self.on_earlier_epoch = earlier or (lambda _epoch, _metrics: None)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        try:
            self._function(epoch + 1, metrics_of(logs))
        except StopTraining:
            self.model.stop_training = True


class BestEpoch(keras.callbacks.Callback):
    """Reports every epoch to a run, keeps the weights of the best one, stops by patience or time.

    Attributes:
        epoch: the best one yet, from 1, with its `metrics` and `weights`.
        history: the metrics of each epoch.
        start: when the training began, by `time.perf_counter`.
    """

    def __init__(self, run: Run, monitor: str, mode: Literal["max", "min"], patience: int, minutes: float) -> None:
        super().__init__()
        self._run, self._monitor, self._sign = run, monitor, 1 if mode == "max" else -1
        self._patience, self._minutes = patience, minutes
        self._best, self._improved, self.start = -math.inf, 0, time.perf_counter()
        self.epoch = 0
        self.metrics: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self.weights: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        metrics = metrics_of(logs)
        check_known("monitor", [self._monitor], metrics)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise NotFinite(f"{name} is {value} after epoch {epoch + 1}: lower the learning rate or the clip norm")
        self._run.log_metrics(metrics, step=epoch + 1)
        self.history.append(metrics)
        score = metrics[self._monitor] * self._sign
        if score > self._best:
            self._improved = epoch + 1
        if score >= self._best:
            self._best, self.epoch, self.metrics, self.weights = score, epoch + 1, metrics, self.model.get_weights()
        out_of_patience = bool(self._patience) and epoch + 1 - self._improved >= self._patience
        out_of_time = bool(self._minutes) and time.perf_counter() - self.start >= 60 * self._minutes
        if out_of_patience or out_of_time:
            self.model.stop_training = True


def check_known(what: str, names: Iterable[str], metrics: Collection[str]) -> None:
    """Raises UnknownMetric for the first of the names that is none of the metrics.

    Args:
        what: the names are, `objective` or `monitor`.
        names: as they were given.
        metrics: the names of all that a training has.
    """
    for name in names:
        if name not in metrics:
            error = unknown(what, name, metrics, "no metric is like it.")
            raise UnknownMetric(f"{error} The metrics are {', '.join(metrics)}")


def check_objectives(objectives: Iterable[str], metrics: Collection[str]) -> None:
    """Raises UnknownMetric after an epoch that lacks an objective; one such as `model/units` comes with the result."""
    check_known("objective", [name for name in objectives if name.startswith(("train/", "val/"))], metrics)


def metrics_of(logs: Mapping[str, float] | None) -> dict[str, float]:
    """Keras's logs of an epoch under this project's names: `val_loss` is `val/loss`, `loss` is `train/loss`."""
    return {
        f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}": float(value)
        for name, value in (logs or {}).items()
    }
