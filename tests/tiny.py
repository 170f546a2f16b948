"""An experiment as small as one can be, on which the framework's promises are tested.

A network learns on which side of a line a point lies. Run as a program it is a study:

    python -m tests.tiny STORE TRIALS WORKERS [FIELD=VALUE ...]    # of two objectives where TINY_IS_SIZED is set
"""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import BaseTrial
from pydantic import Field

from library.framework.config import TrainingConfig
from library.framework.experiment import Experiment, Package, Result, Scores
from library.framework.options import StudyOptions
from library.framework.run import Callbacks, Run

if TYPE_CHECKING:
    import keras


class Config(TrainingConfig):
    """The tiny network's, and how it is to fail."""

    units: int = Field(4, ge=1, le=64, description="width of the hidden layer")
    epochs: int = Field(2, ge=1, description="few")
    steps_per_epoch: int = Field(4, ge=1, description="few")
    fails: str = Field("", description="what to do instead of training: raise, die, diverge or forget")
    data_seed: int = Field(0, ge=0, description="draws the points")


def points(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """64 points `[64, 2]` and whether they lie above the diagonal."""
    x = np.random.default_rng(seed).uniform(-1, 1, (64, 2)).astype("float32")
    return x, (x[:, 1] > x[:, 0]).astype("float32")


def digest(config: Config) -> str:
    """Names the points."""
    return f"points-{config.data_seed}"


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains, or fails as told."""
    import keras

    from library.framework.training.batches import Batches
    from library.framework.training.optimizers import adamw
    from library.framework.training.trainer import Trainer

    x, y = points(config.data_seed)
    run.log_dataset("points", digest(config), {"training": x})
    if config.fails == "raise":
        raise RuntimeError("told to fail")
    if config.fails == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if "TINY_PAUSES_AT" in os.environ:
        callbacks = [*callbacks, _pause]
    if config.fails == "diverge":
        y = np.full_like(y, np.inf)
    keras.utils.set_random_seed(config.seed)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(config.units, "relu"), keras.layers.Dense(1)])
    model.compile(adamw(config), keras.losses.MeanSquaredError())
    batches = Batches(x, y, batch_size=8, steps=config.steps_per_epoch, seed=config.seed)
    return Trainer.of(config).fit(model, batches, (x, y), run, callbacks)


def train_sized(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains, and adds the network's size to its scores, unless it is to be forgotten."""
    result = train(config, run, callbacks)
    size = {} if config.fails == "forget" else {"model/units": config.units}
    return replace(result, metrics={**result.metrics, **size})


def _pause(epoch: int, metrics: Mapping[str, float]) -> None:
    """Tells whoever reads the named pipe that an epoch has ended, and waits for ever."""
    Path(os.environ["TINY_PAUSES_AT"]).write_text("paused")
    signal.pause()


def test(config: Config, model: "keras.Model", run: Run) -> Scores:
    """The share of other points that it puts on the right side."""
    x, y = points(config.data_seed + 1)
    right = (model.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)
    return Scores({"test/accuracy": float(right.mean())}, {str(i): float(r) for i, r in enumerate(right)})


def package(config: Config, model: "keras.Model", folder: Path) -> Package:
    """A file that answers with the number of units."""
    (folder / "units.txt").write_text(str(config.units))
    return Package(Path(__file__).with_name("tiny_served.py"), {"units": folder / "units.txt"}, example=["?"])


def cores(config: Config) -> int:
    """One is plenty."""
    return 1


def space(trial: BaseTrial) -> dict[str, Any]:
    """Two fields, one of them derived."""
    return {"units": 2 ** trial.suggest_int("log2_units", 1, 5), "seed": trial.suggest_int("seed", 0, 99)}


experiment = Experiment(
    config=Config, digest=digest, train=train, test=test, package=package,
    objectives={"val/loss": "minimize"}, trial={"epochs": 1}, cores=cores,
)  # fmt: skip
sized = replace(experiment, train=train_sized, objectives={"val/loss": "minimize", "model/units": "minimize"})

if __name__ == "__main__":
    from library.framework import tuning
    from library.framework.tracking import session
    from tests import tiny

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job would ignore
    with session.open_store(Path(sys.argv[1])) as store:
        options = StudyOptions(trials=int(sys.argv[2]), workers=int(sys.argv[3]), study="tiny")
        fixed = dict(pair.split("=") for pair in sys.argv[4:])
        asked = tiny.sized if "TINY_IS_SIZED" in os.environ else tiny.experiment
        done = tuning.tune(tuning.Search("tiny", asked, tiny.space, fixed, options, store))
        print(done.outcome.version, done.outcome.stage)
