"""Studies whose trials fail, whose metrics are misspelled, and that are killed: they say why and go on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import optuna
import psutil
import pytest
from optuna.trial import BaseTrial, TrialState

from library import Batches, Run, Trainer, TrainingResult, open_store
from library.framework.errors import UnknownMetric, UserError
from library.framework.options import StudyOptions
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search, storage_of
from library.framework.tuning.study import tune
from library.framework.tuning.trials import finished_trials
from tests import tiny

ROOT = Path(__file__).parents[3]
NewSearch = Callable[..., Search]


class Misspelled(tiny.Tiny):
    """Its objective is no metric of an epoch."""

    name = "tiny"
    objectives = {"val/los": "minimize"}


class MisspelledResult(tiny.Sized):
    """One of its objectives is no metric of the result."""

    name = "tiny"
    objectives = {"val/loss": "minimize", "model/unit": "minimize"}


class MisspelledMonitor(tiny.Tiny):
    """Monitors what is no metric."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        import keras

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        x, y = self.data.x, self.data.y
        return Trainer(epochs=9, monitor="val/error").fit(
            model, Batches(x, y, batch_size=8, steps=1, seed=0), (x, y), run, callbacks
        )


def runs() -> list[mlflow.entities.Run]:
    return mlflow.search_runs(experiment_names=["tiny"], output_format="list")


def paused(store: Path, pipe: Path) -> subprocess.Popen[bytes]:
    """A study that has come to the end of an epoch, and goes no further."""
    environment = {**os.environ, "TINY_PAUSES_AT": str(pipe), "TINY_IS_SIZED": "1"}
    command = [sys.executable, "-m", "tests.tiny", str(store), "2", "1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    assert pipe.read_text() == "paused"
    return process


def failing_space(ways: Sequence[str], trial: BaseTrial) -> dict[str, Any]:
    """A way to fail for each trial."""
    return {"units": trial.suggest_int("units", 2, 64), "fails": ways[trial.number]}


@pytest.mark.slow
def test_failed_trials_are_recorded_with_their_reason_and_the_study_goes_on(new_search: NewSearch) -> None:
    space = partial(failing_space, ("die", "raise", "diverge", "", "forget"))
    with pytest.raises(UserError, match="no trial was completed; the last reason: NotFinite: train/loss is"):
        tune(new_search(space, tiny.Sized(), trials=3))
    done = tune(new_search(space, tiny.Sized(), trials=5))
    failed, last = [trial for trial in done.study.trials if trial.number != 3], done.study.trials[3]
    reasons = (
        "its process died with exit code -9",
        "RuntimeError: told to fail",
        "NotFinite",
        "model/units is missing",
    )
    for trial, reason in zip(failed, reasons, strict=True):
        run = mlflow.get_run(trial.user_attrs["run"])
        assert (trial.state, run.info.status) == (TrialState.FAIL, "FAILED")
        assert run.data.tags["reason"] == trial.user_attrs["reason"]
        assert trial.user_attrs["reason"].startswith(reason)
    assert (last.state, done.best) == (TrialState.COMPLETE, last)
    assert failed[0].user_attrs["worker"] != failed[1].user_attrs["worker"], "the worker that died was replaced"


EPOCH = "The metrics are train/loss, val/loss"
RESULT = "model/units, model/parameters, time/training_seconds"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "error"),
    [
        (Misspelled, f"unknown objective 'val/los'; did you mean val/loss? {EPOCH}"),
        pytest.param(
            MisspelledResult,
            f"unknown objective 'model/unit'; did you mean model/units? {EPOCH}, {RESULT}",
            marks=pytest.mark.nightly,
        ),
        (MisspelledMonitor, f"unknown monitor 'val/error'; no metric is like it. {EPOCH}"),
    ],
)
def test_a_metric_that_does_not_exist_ends_the_whole_study_at_once_which_goes_on_when_it_is_corrected(
    experiment: type[tiny.Tiny], error: str, store: Store, new_search: NewSearch
) -> None:
    with pytest.raises(UnknownMetric) as raised:
        tune(new_search(experiment=experiment(), trials=9, workers=2))
    assert str(raised.value) == error
    study = optuna.load_study(study_name="tiny", storage=storage_of(store))
    begun = [trial for trial in study.trials if trial.state is not TrialState.WAITING]
    assert 1 <= len(begun) <= 2, "no further trial begins"
    assert {trial.state for trial in begun} == {TrialState.FAIL}
    assert {trial.user_attrs["reason"] for trial in begun} == {error}
    assert {run.info.status for run in runs()} == {"FAILED"}
    assert all(error in run.data.tags["reason"] for run in runs())
    if experiment is Misspelled:
        done = tune(new_search(trials=1))
        assert [trial.state for trial in finished_trials(done.study)] == [TrialState.COMPLETE]
        assert done.best.params == begun[0].params


@pytest.mark.slow
@pytest.mark.parametrize(
    "kills", [[signal.SIGKILL], pytest.param([signal.SIGINT, signal.SIGKILL], marks=pytest.mark.nightly)]
)
def test_a_study_killed_again_and_again_goes_on_where_it_was_on_two_workers(
    kills: list[signal.Signals], store_path: Path
) -> None:
    pipe = store_path / "pipe"
    os.mkfifo(pipe)
    another = r"^study 'tiny': another process runs it; help it with `make work STUDY=tiny STORE=.*`, or set STUDY=name"

    def again(trials: int, workers: int) -> Search:
        options = StudyOptions(trials=trials, workers=workers, study="tiny")
        return Search(tiny.Sized(), tiny.space, (), options, open_store(store_path))

    for kill in kills:
        process = paused(store_path, pipe)
        with pytest.raises(UserError, match=another):
            tune(again(trials=2, workers=1))
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(kill)
        process.wait()
        psutil.wait_procs(workers)  # else they may count as alive when the study goes on, and as lost later
    study = tune(again(trials=6, workers=2)).study

    times = len(kills)
    cut, finished = study.trials[:times], study.trials[times:]
    assert [trial.state for trial in cut] == [TrialState.FAIL] * times
    assert [trial.user_attrs["reason"] for trial in cut] == ["interrupted"] * times
    assert [trial.state for trial in finished] == [TrialState.COMPLETE] * 6
    assert [trial.user_attrs.get("repeats") for trial in study.trials] == [None, *range(times), *[None] * 5]
    assert len({str(trial.params) for trial in (*cut, finished[0])}) == 1
    assert finished_trials(study) == finished, "every trial is run once"
    assert len({str(trial.params) for trial in finished}) == 6
    assert len({trial.user_attrs["worker"] for trial in finished}) == 2
    assert all(trial.values[1] == 2 ** trial.params["log2_units"] for trial in finished)
    open_store(store_path)
    assert {mlflow.get_run(trial.user_attrs["run"]).info.status for trial in cut} == {"FAILED"}
    assert {run.info.status for run in runs()} <= {"FINISHED", "KILLED", "FAILED"}
    assert len([run for run in runs() if "mlflow.parentRunId" not in run.data.tags]) == 1
