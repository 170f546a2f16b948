"""An experiment as small as one can be, on which the framework's promises are tested.

A network learns on which side of a line a point lies. Run as a program it is a study:

    python -m tests.tiny STORE TRIALS WORKERS [FIELD=VALUE ...]    # of two objectives where TINY_IS_SIZED is set
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import BaseTrial
from pydantic import Field

from library import Experiment, ModelArtifacts, Run, TestResult, TrainingConfig, TrainingResult
from library.framework.options import StudyOptions
from library.framework.training import checkpoints


@dataclass(frozen=True)
class Points:
    """64 points `[64, 2]` and whether they lie above the diagonal."""

    x: np.ndarray
    y: np.ndarray
    digest: str

    @classmethod
    def drawn(cls, seed: int) -> "Points":
        x = np.random.default_rng(seed).uniform(-1, 1, (64, 2)).astype("float32")
        return cls(x, (x[:, 1] > x[:, 0]).astype("float32"), f"points-{seed}")


class Tiny(Experiment):
    """The share of points on the right side of a line."""

    class Config(TrainingConfig):
        units: int = Field(4, ge=1, le=64, description="width of the hidden layer")
        epochs: int = Field(2, ge=1, description="few")
        steps_per_epoch: int = Field(2, ge=1, description="few")
        fails: str = Field("", description="what to do instead of training: raise, die, diverge or forget")
        data_seed: int = Field(0, ge=0, description="draws the points")

    name = "tiny"
    objectives = {"val/loss": "minimize"}
    trial_overrides = {"epochs": 1}
    data_fields = ("data_seed",)
    num_threads = 1

    def load(self) -> Points:
        return Points.drawn(self.config.data_seed)

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        import keras

        from library import Batches, EpochCallback, Trainer, adamw

        config, x, y = self.config, self.data.x, self.data.y
        run.log_dataset("points", self.dataset_digest, {"training": x})
        if config.fails == "raise":
            raise RuntimeError("told to fail")
        if config.fails == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if "TINY_PAUSES_AT" in os.environ:
            callbacks = [*callbacks, EpochCallback(pause)]
        if "TINY_DIES_IN" in os.environ:
            checkpoints.SHARE = float("inf")
            callbacks = [*callbacks, EpochCallback(die)]
        if config.fails == "diverge":
            y = np.full_like(y, np.inf)
        keras.utils.set_random_seed(config.seed)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(config.units, "relu"), keras.layers.Dense(1)])
        # Eagerly: to trace a graph takes longer than these few steps.
        model.compile(adamw(config), keras.losses.MeanSquaredError(), run_eagerly=True)
        batches = Batches(x, y, batch_size=8, steps=config.steps_per_epoch, seed=config.seed)
        return Trainer.of(config).fit(model, batches, (x, y), run, callbacks)

    def test(self, model: Any, run: Run) -> TestResult:
        other = Points.drawn(self.config.data_seed + 1)
        right = (model.predict(other.x, verbose=0)[:, 0] > 0.5) == (other.y > 0.5)
        scores = {str(i): float(r) for i, r in enumerate(right)}
        return TestResult({"test/accuracy": float(right.mean())}, scores, "test/accuracy")

    def package(self, model: Any, folder: Path) -> ModelArtifacts:
        (folder / "units.txt").write_text(str(self.config.units))
        code = Path(__file__).with_name("tiny_served.py")
        return ModelArtifacts(code, {"units": folder / "units.txt"}, example=["?"])


class Sized(Tiny):
    """The same with two objectives: adds the network's size to its scores, unless it is to be forgotten."""

    name = "tiny"
    objectives = {"val/loss": "minimize", "model/units": "minimize"}

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        result = super().fit(run, callbacks)
        size = {} if self.config.fails == "forget" else {"model/units": self.config.units}
        return replace(result, metrics={**result.metrics, **size})


def pause(epoch: int, metrics: Mapping[str, float]) -> None:
    """Tells whoever reads the named pipe that an epoch has ended, and waits for ever."""
    Path(os.environ["TINY_PAUSES_AT"]).write_text("paused")
    signal.pause()


def die(epoch: int, metrics: Mapping[str, float]) -> None:
    """Kills this process, and the one that started it to work on a study, at the end of an epoch."""
    if epoch == int(os.environ["TINY_DIES_IN"]):
        for process in (multiprocessing.parent_process(), multiprocessing.current_process()):
            if process:
                os.kill(process.pid or 0, signal.SIGKILL)


def space(trial: BaseTrial) -> dict[str, Any]:
    """Two fields, one of them derived."""
    return {"units": 2 ** trial.suggest_int("log2_units", 1, 5), "seed": trial.suggest_int("seed", 0, 99)}


if __name__ == "__main__":
    from library import open_store
    from library.framework.tuning.search import Search
    from library.framework.tuning.study import tune
    from tests import tiny

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job would ignore
    with open_store(sys.argv[1]) as store:
        options = StudyOptions(trials=int(sys.argv[2]), workers=int(sys.argv[3]), study="tiny")
        fixed = dict(pair.split("=") for pair in sys.argv[4:])
        experiment = (tiny.Sized if "TINY_IS_SIZED" in os.environ else tiny.Tiny)(**fixed)
        done = tune(Search(experiment, tiny.space, tuple(fixed), options, store))
        print(done.outcome.version, done.outcome.stage)
