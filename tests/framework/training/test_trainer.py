"""The Trainer: reports every epoch, keeps the best weights, stops on what is not finite."""

import math
from collections.abc import Mapping
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from library.framework.config import TrainingConfig
from library.framework.errors import NotFinite
from library.framework.run import Run
from library.framework.training import trainer
from library.framework.training.optimizers import adamw, steps_per_execution
from library.framework.training.trainer import Trainer
from tests import tiny


class Kept(Run):
    """Keeps metrics in a list."""

    def __init__(self) -> None:
        self.metrics: list[tuple[int, Mapping[str, float]]] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics.append((step, metrics))


def test_reports_one_batch_of_slashed_metrics_an_epoch() -> None:
    run = Kept()
    tiny.train(tiny.Config(epochs=3), run, ())
    assert [step for step, _ in run.metrics] == [1, 2, 3]
    assert all(set(metrics) == {"train/loss", "val/loss"} for _, metrics in run.metrics)


def test_callbacks_see_what_the_run_sees_and_what_they_raise_ends_training() -> None:
    seen: list[int] = []

    def stop(epoch: int, metrics: Mapping[str, float]) -> None:
        seen.append(epoch)
        if epoch == 2:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        tiny.train(tiny.Config(epochs=9), Run(), [stop])
    assert seen == [1, 2]


def test_the_same_seed_gives_the_same_weights_and_another_does_not() -> None:
    first, again, other = (tiny.train(tiny.Config(seed=seed), Run(), ()) for seed in (1, 1, 2))
    for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.metrics == again.metrics != other.metrics


def _scripted(scores: list[float], patience: int = 0) -> tuple[list[float], int]:
    """Weights after a training whose monitored metric takes given values, and the best epoch."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    values = iter(scores)
    model.compile(keras.optimizers.SGD(0.1), "mse")

    class Scripted(Trainer):
        pass

    x = np.ones((1, 1), "float32")

    def fit(*arguments: object, callbacks: list[keras.callbacks.Callback], **settings: object) -> None:
        keeper = callbacks[0]
        keeper.set_model(model)
        for epoch, value in enumerate(values):
            model.set_weights([np.full((1, 1), epoch + 1.0)])
            keeper.on_epoch_end(epoch, {"val_score": value})
            if model.stop_training:
                return

    model.fit = fit
    model.stop_training = False
    result = Scripted(epochs=len(scores), monitor="val/score", mode="max", patience=patience).fit(model, x, (x, x))
    return float(model.get_weights()[0][0, 0]), result.epoch


@pytest.mark.parametrize(
    ("scores", "patience", "best"),
    [([0.1, 0.9, 0.5], 0, 2), ([0.5, 0.5, 0.5], 0, 3), ([0.9, 0.1, 0.2, 1.0], 2, 1), ([0.9, 0.1, 1.0], 2, 3)],
)
def test_leaves_the_weights_of_the_best_epoch_the_last_of_equal_ones(
    scores: list[float], patience: int, best: int
) -> None:
    weights, epoch = _scripted(scores, patience)
    assert (weights, epoch) == (best, best)


@pytest.mark.parametrize(("minutes", "epochs"), [(0, 3), (0.01, 1), (1, 1), (1.5, 2), (99, 3)])
def test_stops_after_the_epoch_in_which_its_minutes_are_over(
    minutes: float, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, now = Kept(), [1000.0]
    monkeypatch.setattr(trainer, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def last_a_minute(_: int, __: Mapping[str, float]) -> None:
        now[0] += 60

    tiny.train(tiny.Config(epochs=3, minutes=minutes), run, [last_a_minute])
    assert [step for step, _ in run.metrics] == list(range(1, epochs + 1))


def test_a_training_that_its_minutes_ended_leaves_the_best_weights_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 6000, 60))
    monkeypatch.setattr(trainer, "time", SimpleNamespace(perf_counter=lambda: float(next(now))))
    # A rate of next to nothing: of equal epochs the last is the best.
    result = tiny.train(tiny.Config(epochs=9, minutes=3, learning_rate=1e-30), Run(), ())
    assert result.epoch == 3
    x, y = tiny.points(0)
    assert result.model.evaluate(x, y, verbose=0) == pytest.approx(result.metrics["val/loss"])


def test_a_constant_rate_stays_at_its_peak_after_the_warm_up() -> None:
    config = TrainingConfig(epochs=10, steps_per_epoch=10, warmup=0.1, learning_rate=0.5, schedule="constant")
    rate = adamw(config)._learning_rate
    assert [float(rate(step)) for step in (0, 5, 10, 55, 100, 1000)] == pytest.approx([0, 0.25, 0.5, 0.5, 0.5, 0.5])


def test_the_trainer_is_as_its_config_says() -> None:
    config = TrainingConfig(epochs=7, patience=3, minutes=2.5)
    assert Trainer.of(config, "val/kid", "max") == Trainer(
        epochs=7, patience=3, minutes=2.5, monitor="val/kid", mode="max"
    )


def test_stops_on_a_loss_that_is_not_finite_and_names_epoch_and_metric() -> None:
    with pytest.raises(NotFinite, match=r"^train/loss is (nan|inf) after epoch 1"):
        tiny.train(tiny.Config(fails="diverge"), Run(), ())


def test_learning_rate_warms_up_to_its_peak_and_decays_to_zero() -> None:
    config = TrainingConfig(epochs=10, steps_per_epoch=10, warmup=0.1, learning_rate=0.5)
    rate = adamw(config)._learning_rate
    assert [float(rate(step)) for step in (0, 5, 10, 100)] == pytest.approx([0, 0.25, 0.5, 0], abs=1e-6)
    assert math.isclose(float(rate(55)), 0.25, abs_tol=1e-6)


def test_without_warmup_the_rate_starts_at_its_peak() -> None:
    assert float(adamw(TrainingConfig(warmup=0, learning_rate=0.5))._learning_rate(0)) == 0.5


@pytest.mark.parametrize(("steps", "expected"), [(200, 50), (7, 7), (53, 1), (96, 48)])
def test_steps_per_execution_divide_an_epoch(steps: int, expected: int) -> None:
    assert steps_per_execution(TrainingConfig(steps_per_epoch=steps)) == expected
