"""The Trainer: reports every epoch, keeps the best weights, stops on what is not finite."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from library import Batches, EpochCallback, Run, Trainer, TrainingConfig
from library.framework.errors import NotFinite, UnknownMetric
from library.framework.run import StopTraining
from library.framework.training import callbacks
from library.framework.training.optimizers import adamw, rate, steps_per_execution
from library.framework.training.trainer import equal_batches
from tests.tiny import Tiny


class Kept(Run):
    """Keeps metrics in a list."""

    def __init__(self) -> None:
        self.metrics: list[tuple[int, Mapping[str, float]]] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics.append((step, metrics))


def test_reports_one_batch_of_slashed_metrics_an_epoch_and_repeats_with_its_seed() -> None:
    runs = [Kept() for _ in range(3)]
    first, again, other = (Tiny(seed=seed).fit(run) for seed, run in zip((1, 1, 2), runs, strict=True))
    assert [step for step, _ in runs[0].metrics] == [1, 2]
    assert all(set(metrics) == {"train/loss", "val/loss"} for _, metrics in runs[0].metrics)
    for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.metrics == again.metrics != other.metrics
    assert runs[0].metrics == runs[1].metrics != runs[2].metrics


def test_callbacks_see_what_the_run_sees_and_what_they_raise_ends_training() -> None:
    seen: list[int] = []

    def stop(epoch: int, metrics: Mapping[str, float]) -> None:
        seen.append(epoch)
        if epoch == 2:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        Tiny(epochs=9).fit(Run(), [EpochCallback(stop)])
    assert seen == [1, 2]


def test_a_callback_may_end_a_training_which_leaves_its_best_weights() -> None:
    def stop(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 2:
            raise StopTraining

    for callback in (EpochCallback(stop), keras.callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=1)):
        run, experiment = Kept(), Tiny(epochs=9)
        result = experiment.fit(run, [callback])
        assert [step for step, _ in run.metrics] == [1, 2]
        assert result.metrics == run.metrics[result.epoch - 1][1]
        x, y = experiment.data.x, experiment.data.y
        assert result.model.evaluate(x, y, verbose=0) == pytest.approx(result.metrics["val/loss"])


def scripted(scores: list[float], **settings: float) -> tuple[float, int, int]:
    """Weights after a training whose monitored metric takes given values, the best epoch, and how many were made."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    x, run = np.ones((1, 1), "float32"), Kept()

    def fit(*arguments: object, callbacks: list[keras.callbacks.Callback], **settings: object) -> None:
        keeper = callbacks[0]
        keeper.set_model(model)
        for epoch, value in enumerate(scores):
            model.set_weights([np.full((1, 1), epoch + 1.0)])
            keeper.on_epoch_end(epoch, {"val_score": value})
            if model.stop_training:
                return

    model.fit, model.stop_training = fit, False
    result = Trainer(epochs=len(scores), monitor="val/score", mode="max", **settings).fit(model, x, (x, x), run)
    return float(model.get_weights()[0][0, 0]), result.epoch, len(run.metrics)


class Traced(keras.layers.Layer):
    """Counts how often it is called to train."""

    times = 0

    def call(self, x: Any, training: bool = False) -> Any:
        self.times += training
        return x


def test_a_step_is_traced_once() -> None:
    layer, x, y = Traced(), np.ones((10, 2), "float32"), np.ones((10, 1), "float32")
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1)])
    model.compile(adamw(TrainingConfig()), "mse", metrics=["mae"], jit_compile=False)
    metrics = Trainer(epochs=2).fit(model, Batches(x, y, batch_size=4, steps=2, seed=0), (x, y)).metrics
    assert set(metrics) == {"train/loss", "train/mae", "val/loss", "val/mae"}
    assert layer.times == 1


@pytest.mark.parametrize(
    ("examples", "size"), [(1, 1), (475, 475), (512, 512), (513, 171), (997, 499), (1000, 500), (5000, 500)]
)
def test_batches_of_validation_data_are_few_and_equal_where_that_is_possible(examples: int, size: int) -> None:
    assert equal_batches(examples) == size


@pytest.mark.parametrize(
    ("scores", "patience", "best"),
    [([0.1, 0.9, 0.5], 0, 2), ([0.5, 0.5, 0.5], 0, 3), ([0.9, 0.1, 0.2, 1.0], 2, 1), ([0.9, 0.1, 1.0], 2, 3)],
)
def test_leaves_the_weights_of_the_best_epoch_the_last_of_equal_ones(
    scores: list[float], patience: int, best: int
) -> None:
    assert scripted(scores, patience=patience)[:2] == (best, best)


@pytest.mark.parametrize(("minutes", "epochs"), [(0, 4), (0.01, 1), (1, 1), (1.5, 2), (3, 3), (99, 4)])
def test_stops_after_the_epoch_in_which_its_minutes_are_over_with_the_best_weights_until_then(
    minutes: float, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(0, 6000, 60))  # an epoch takes a minute
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: float(next(now))))
    assert scripted([0.5] * 4, minutes=minutes) == (epochs, epochs, epochs)  # of equal epochs the last is the best


def test_the_trainer_is_as_its_config_says() -> None:
    config = TrainingConfig(epochs=7, patience=3, minutes=2.5)
    assert Trainer.of(config, "val/kid", "max") == Trainer(
        epochs=7, patience=3, minutes=2.5, monitor="val/kid", mode="max"
    )


def test_stops_on_a_loss_that_is_not_finite_and_names_epoch_and_metric() -> None:
    with pytest.raises(NotFinite, match=r"^train/loss is (nan|inf) after epoch 1"):
        Tiny(fails="diverge").fit(Run())


def test_an_unknown_monitor_is_found_after_the_first_epoch_before_it_is_reported() -> None:
    run, model = Kept(), keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.ones((2, 1), "float32")
    with pytest.raises(UnknownMetric) as raised:
        Trainer(epochs=9, monitor="val/lose").fit(model, Batches(x, x, batch_size=2, steps=1, seed=0), (x, x), run)
    metrics = "train/loss, train/mae, val/loss, val/mae"
    assert str(raised.value) == f"unknown monitor 'val/lose'; did you mean val/loss? The metrics are {metrics}"
    assert run.metrics == []


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"schedule": "cosine"}, [0, 0.25, 0.5, 0.25, 0]),
        ({"schedule": "constant"}, [0, 0.25, 0.5, 0.5, 0.5]),
        ({"warmup": 0, "schedule": "constant"}, [0.5] * 5),
    ],
)
def test_the_learning_rate_warms_up_to_its_peak_and_decays_or_stays(settings: Any, rates: list[float]) -> None:
    config = TrainingConfig(**{"epochs": 10, "steps_per_epoch": 10, "warmup": 0.1, "learning_rate": 0.5, **settings})
    assert [float(rate(config)(step)) for step in (0, 5, 10, 55, 100)] == pytest.approx(rates, abs=1e-6)
    assert float(adamw(config).learning_rate) == rates[0]


@pytest.mark.parametrize(("steps", "expected"), [(200, 50), (7, 7), (53, 1), (96, 48)])
def test_steps_per_execution_divide_an_epoch(steps: int, expected: int) -> None:
    assert steps_per_execution(TrainingConfig(steps_per_epoch=steps)) == expected
