"""Studies: finished, pruned, failed, resumed, killed and shared between workers, on real stores."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from optuna.trial import BaseTrial, TrialState

from library.framework import tuning
from library.framework.cli import output
from library.framework.errors import StudyChanged, UserError
from library.framework.experiment import Experiment
from library.framework.objectives import Within
from library.framework.options import StudyOptions
from library.framework.tracking import queries, session
from library.framework.tracking.store import Store
from library.framework.tuning import counted
from library.framework.tuning.search import check_unchanged, signature, storage_of
from tests import tiny

ROOT = Path(__file__).parents[3]
optuna.logging.set_verbosity(optuna.logging.WARNING)


def search(
    store: Store,
    trials: int = 2,
    workers: int = 1,
    space: Any = tiny.space,
    experiment: Experiment = tiny.experiment,
    **fixed: Any,
) -> tuning.Search:
    options = StudyOptions(trials=trials, workers=workers, study="tiny")
    return tuning.Search("tiny", experiment, space, fixed, options, store)


def study_of(root: Path) -> optuna.Study:
    return optuna.load_study(study_name="tiny", storage=storage_of(Store(root)))


def runs(**tags: str) -> list[mlflow.entities.Run]:
    found = mlflow.search_runs(experiment_names=["tiny"], output_format="list")
    return [run for run in found if all(run.data.tags.get(key) == value for key, value in tags.items())]


def command(store: Path, trials: int, workers: int, *fixed: str) -> list[str]:
    return [sys.executable, "-m", "tests.tiny", str(store), str(trials), str(workers), *fixed]


def paused(store: Path, pipe: Path, trials: int) -> subprocess.Popen[bytes]:
    """A study that has come to the end of an epoch, and goes no further."""
    process = subprocess.Popen(
        command(store, trials, 1), cwd=ROOT, env={**os.environ, "TINY_PAUSES_AT": str(pipe)}, stdout=subprocess.DEVNULL
    )
    assert pipe.read_text() == "paused"
    return process


def raising_space(trial: BaseTrial) -> dict[str, Any]:
    """Every other trial fails."""
    return {"units": 2, "fails": "raise" if trial.suggest_int("odd", 0, 9) % 2 else ""}


def narrower_space(trial: BaseTrial) -> dict[str, Any]:
    """As the tiny one, but for a bound."""
    return {"units": 2 ** trial.suggest_int("log2_units", 1, 4), "seed": trial.suggest_int("seed", 0, 99)}


def misspelt_space(trial: BaseTrial) -> dict[str, Any]:
    """Suggests a field that there is not."""
    return {"unit": trial.suggest_int("unit", 1, 4)}


def test_a_study_ends_with_its_winner_registered_and_its_pictures_logged(store: Store) -> None:
    asked = search(store, trials=3)
    done = tuning.tune(asked)
    assert [trial.state for trial in done.study.trials].count(TrialState.COMPLETE) >= 1
    assert len(done.study.trials) == 3
    assert done.outcome.stage == "Production"
    (parent,) = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 4
    figures = {path.name for path in (store.root / "artifacts").rglob("*.png")}
    assert {"history.png", "slices.png", "parallel-coordinates.png"} <= figures
    winner = mlflow.get_run(done.outcome.run)
    assert winner.data.params == {k: str(v) for k, v in asked.config(done.best, in_full=True).model_dump().items()}
    version = mlflow.MlflowClient().get_model_version("tiny", done.outcome.version)
    assert {"study": "tiny", "trial": str(done.best.number), "run": winner.info.run_id}.items() <= version.tags.items()
    assert {run.info.status for run in runs()} <= {"FINISHED", "KILLED"}
    for trial in done.study.trials:
        ended = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}[trial.state.name]
        assert mlflow.get_run(trial.user_attrs["run"]).info.status == ended

    before = done.study.trials
    again = tuning.tune(asked)
    assert again.outcome == done.outcome
    assert len(again.study.trials) == 3
    assert len(runs()) == 5

    more = tuning.tune(search(store, trials=4))
    assert more.study.trials[:3] == before
    assert len(more.study.trials) == 4
    assert len({str(t.params) for t in more.study.trials}) == 4

    for changed, name in [
        (search(store, space=narrower_space), "search space of log2_units"),
        (search(store, batch_size=8), "config field batch_size"),
        (search(store, data_seed=1), "config field data_seed"),
    ]:
        with pytest.raises(StudyChanged, match=f"^study 'tiny': {name} was .* is .* now; change it back"):
            tuning.tune(changed)
    assert len(study_of(store.root).trials) == 4


def test_a_study_of_two_objectives_ends_with_its_front_and_the_winner_that_the_rule_chose(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    sized = replace(tiny.sized, choose=Within(10.0))  # as good as every loss will do
    done = tuning.tune(search(store, trials=7, experiment=sized))
    assert [trial.state for trial in done.study.trials] == [TrialState.COMPLETE] * 7
    values = {trial.number: tuple(trial.values) for trial in done.study.trials}
    assert {values[number] for number in done.front["trial"]} == {tuple(t.values) for t in done.study.best_trials}
    assert done.front["val/loss"] == sorted(done.front["val/loss"])
    assert done.best.values[1] == min(units for _, units in values.values())
    assert done.front["chosen"] == ["yes" if number == done.best.number else "" for number in done.front["trial"]]
    assert mlflow.get_run(done.outcome.run).data.params["units"] == str(int(done.best.values[1]))
    output.tuned(done, store)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"complete val/loss {values[0][0]:.5g} model/units {values[0][1]:g}" in shown
    assert "Trials that no other beats" in shown
    assert f"best trial │ {done.best.number}: {done.best.values[0]:.5g}, {done.best.values[1]:g}" in shown

    parent = done.study.user_attrs["run"]
    figures = {path.name for path in (store.root / "artifacts").rglob("*.png")}
    assert {"front.png", "history-val-loss.png", "slices-model-units.png"} <= figures
    metrics = mlflow.get_run(parent).data.metrics
    assert [metrics["study/best/val/loss"], metrics["study/best/model/units"]] == done.best.values
    logged = queries.read_json(parent, "tables/front.json")
    assert logged["columns"] == ["trial", "val/loss", "model/units", "chosen", "log2_units", "seed"]
    assert [row[0] for row in logged["data"]] == done.front["trial"]

    before = done.study.trials
    other = tuning.tune(search(store, trials=8, experiment=replace(tiny.sized, choose=Within(0.0))))
    assert other.study.trials[:7] == before
    assert other.best.values[0] == min(trial.values[0] for trial in other.study.trials)
    assert (other.outcome == done.outcome) == (other.best == done.best)
    assert [row[0] for row in queries.read_json(parent, "tables/front.json")["data"]] == other.front["trial"]


@pytest.mark.parametrize("begun", ["with a signature", "without one"])
def test_a_study_of_other_objectives_is_refused(store: Store, begun: str) -> None:
    two = search(store, experiment=tiny.sized)
    if begun == "with a signature":
        check_unchanged(two.study(), signature(two))
        check_unchanged(two.study(), signature(two))
    else:  # as its driver leaves it that dies between making it and saying what it is
        two.study()
    for objectives in ({"val/loss": "minimize"}, {"val/loss": "minimize", "model/units": "maximize"}):
        now = ", ".join(objectives.values())
        with pytest.raises(
            StudyChanged,
            match=f"^study 'tiny': direction was minimize, minimize when it began and is {now} now; change it back, "
            r"or begin another with STUDY=name$",
        ):
            tuning.tune(search(store, experiment=replace(tiny.sized, objectives=objectives)))


def test_failed_trials_are_recorded_with_their_reason_and_the_study_goes_on(store: Store) -> None:
    done = tuning.tune(search(store, trials=6, space=raising_space))
    failed = [trial for trial in done.study.trials if trial.state is TrialState.FAIL]
    assert failed
    assert len(done.study.trials) == 6
    for trial in failed:
        assert trial.user_attrs["reason"] == "RuntimeError: told to fail"
        run = mlflow.get_run(trial.user_attrs["run"])
        assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "RuntimeError: told to fail")


@pytest.mark.parametrize(
    ("fails", "reason"), [("diverge", "NotFinite: train/loss is"), ("forget", "model/units is missing")]
)
def test_a_study_of_which_no_trial_is_completed_says_why(store: Store, fails: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"no trial was completed; the last reason: {reason}"):
        tuning.tune(search(store, trials=1, experiment=tiny.sized, fails=fails))


@pytest.mark.parametrize("experiment", [tiny.experiment, tiny.sized], ids=["one objective", "two objectives"])
def test_a_worker_that_dies_fails_its_trial_and_is_replaced(store: Store, experiment: Experiment) -> None:
    with pytest.raises(UserError, match="no trial was completed"):
        tuning.tune(search(store, trials=2, experiment=experiment, fails="die"))
    trials = study_of(store.root).trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.FAIL]
    reasons = [mlflow.get_run(trial.user_attrs["run"]).data.tags["reason"] for trial in trials]
    assert reasons == ["its process died with exit code -9"] * 2


def test_a_space_that_does_not_fit_its_config_is_found_before_work_begins(store: Store) -> None:
    with pytest.raises(UserError, match="unknown field 'unit'; allowed are seed"):
        tuning.tune(search(store, space=misspelt_space))
    assert not (store.root / "optuna.db").exists()


def test_fixed_fields_are_not_searched(store: Store) -> None:
    asked = search(store, seed=7)
    trial = optuna.trial.FixedTrial({"log2_units": 3})
    assert asked.config(trial, in_full=True) == tiny.Config(units=8, seed=7)
    assert asked.config(trial, in_full=False) == tiny.Config(units=8, seed=7, epochs=1)


def test_two_workers_share_a_study_and_every_trial_is_run_once(store_path: Path) -> None:
    subprocess.run(command(store_path, 6, 2), cwd=ROOT, check=True, capture_output=True)
    study = study_of(store_path)
    assert len(study.trials) == len(counted(study)) == 6
    assert len({str(trial.params) for trial in study.trials}) == 6
    assert len({trial.user_attrs["pid"] for trial in study.trials}) == 2


def test_a_study_killed_again_and_again_goes_on_where_it_was(store_path: Path) -> None:
    pipe = store_path / "pipe"
    os.mkfifo(pipe)
    for blow in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = paused(store_path, pipe, trials=2)
        process.send_signal(blow)
        process.wait()
    subprocess.run(command(store_path, 3, 2), cwd=ROOT, check=True, capture_output=True)

    *cut, second, third = study_of(store_path).trials
    assert [trial.state for trial in cut] == [TrialState.FAIL] * 3 + [TrialState.COMPLETE]
    assert [trial.user_attrs.get("repeats") for trial in cut] == [None, 0, 1, 2]
    assert len({str(trial.params) for trial in cut}) == 1
    assert counted(study_of(store_path)) == [cut[-1], second, third]
    assert len({str(trial.params) for trial in (cut[-1], second, third)}) == 3
    with session.open_store(store_path):
        assert {mlflow.get_run(trial.user_attrs["run"]).info.status for trial in cut[:3]} == {"FAILED"}
        assert {run.info.status for run in runs()} <= {"FINISHED", "KILLED", "FAILED"}
        assert len([run for run in runs() if "mlflow.parentRunId" not in run.data.tags]) == 1


def test_a_killed_study_of_two_objectives_goes_on_where_it_was(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_IS_SIZED", "1")
    pipe = store_path / "pipe"
    os.mkfifo(pipe)
    process = paused(store_path, pipe, trials=2)
    process.kill()
    process.wait()
    subprocess.run(command(store_path, 2, 2), cwd=ROOT, check=True, capture_output=True)
    study = study_of(store_path)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] + [TrialState.COMPLETE] * 2
    assert [trial.user_attrs.get("repeats") for trial in study.trials] == [None, 0, None]
    assert study.trials[1].params == study.trials[0].params
    assert all(trial.values[1] == 2 ** trial.params["log2_units"] for trial in counted(study))


def test_a_study_that_another_process_runs_is_left_alone(store_path: Path) -> None:
    pipe = store_path / "pipe"
    os.mkfifo(pipe)
    process = paused(store_path, pipe, trials=1)
    with (
        session.open_store(store_path) as store,
        pytest.raises(UserError, match=r"^study 'tiny': another process runs it; wait for its end, or set STUDY=name"),
    ):
        tuning.tune(search(store))
    process.kill()
    process.wait()
