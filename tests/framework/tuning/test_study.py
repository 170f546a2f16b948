"""Studies: finished, pruned, failed, resumed, killed and shared between workers, on real stores."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from optuna.trial import BaseTrial, TrialState
from optuna_dashboard import get_note, save_note

from library import Batches, Run, Trainer, TrainingResult, open_store
from library.framework.cli import output
from library.framework.errors import StudyChanged, UnknownMetric, UserError
from library.framework.objectives import BestWithinTolerance
from library.framework.options import StudyOptions
from library.framework.tracking import queries
from library.framework.tracking.folder import FolderStore
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search, check_unchanged, signature, storage_of
from library.framework.tuning.study import Tuned, tune
from library.framework.tuning.trials import finished_trials
from tests import tiny

ROOT = Path(__file__).parents[3]


class Loose(tiny.Sized):
    """Selects the smallest network, as every loss is good enough."""

    name = "tiny"
    select = BestWithinTolerance(10.0)


class Strict(tiny.Sized):
    """Selects the least loss."""

    name = "tiny"
    select = BestWithinTolerance(0.0)


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


def search(
    store: Store,
    trials: int = 2,
    space: Any = tiny.space,
    experiment: type[tiny.Tiny] = tiny.Tiny,
    workers: int = 1,
    **fixed: Any,
) -> Search:
    options = StudyOptions(trials=trials, workers=workers, study="tiny")
    return Search(experiment(**fixed), space, tuple(fixed), options, store)


def study_of(root: Path) -> optuna.Study:
    return optuna.load_study(study_name="tiny", storage=storage_of(FolderStore(root)))


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


def narrower_space(trial: BaseTrial) -> dict[str, Any]:
    """As the tiny one, but for a bound."""
    return {"units": 2 ** trial.suggest_int("log2_units", 1, 4), "seed": trial.suggest_int("seed", 0, 99)}


def misspelt_space(trial: BaseTrial) -> dict[str, Any]:
    """Suggests a field that does not exist."""
    return {"unit": trial.suggest_int("unit", 1, 4)}


def expected_note(done: Tuned, parent: Any) -> list[str]:
    """What optuna-dashboard shows of a finished study."""
    return [
        f"    {parent.data.tags['command']}",
        "",
        "- objectives: minimize `val/loss`",
        "- data: digest `points-0`, loaded by `tests.tiny` with data_seed 0",
        f"- MLflow: run `{parent.info.run_id}` of experiment `tiny`",
        f"- winner: trial {done.best.number}, `tiny` version 1",
    ]


def refuses_what_changed(store: Store) -> None:
    for changed, name in [
        (search(store, space=narrower_space), "search space of log2_units"),
        (search(store, batch_size=8), "config field batch_size"),
        (search(store, data_seed=1), "config field data_seed"),
    ]:
        with pytest.raises(StudyChanged, match=f"^study 'tiny': {name} was .* is .* now; change it back"):
            tune(changed)


def test_a_study_ends_with_its_winner_registered_and_its_figures_logged_and_resumes(store: Store) -> None:
    done = tiny.Tiny().tune(store, tiny.space, trials=3, workers=1, study="tiny")
    assert [trial.state for trial in done.study.trials].count(TrialState.COMPLETE) >= 1
    assert len(done.study.trials) == 3
    assert done.outcome.stage == "Production"
    (parent,) = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 4
    figures = {path.name for path in (store.root / "artifacts").rglob("*.png")}
    assert {"history.png", "slices.png", "parallel-coordinates.png"} <= figures
    winner, same = mlflow.get_run(done.outcome.run), search(store, trials=3)
    config = same.experiment(done.best, in_full=True).config
    assert winner.data.params == {name: str(value) for name, value in config.model_dump().items()}
    version = mlflow.MlflowClient().get_model_version("tiny", done.outcome.version)
    assert {"study": "tiny", "trial": str(done.best.number), "run": winner.info.run_id}.items() <= version.tags.items()
    assert {run.info.status for run in runs()} <= {"FINISHED", "KILLED"}
    for trial in done.study.trials:
        ended = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}[trial.state.name]
        assert mlflow.get_run(trial.user_attrs["run"]).info.status == ended

    assert done.study.user_attrs == {"run": parent.info.run_id}, "optuna-dashboard shows no JSON"
    assert done.study.metric_names == ["val/loss"]
    assert get_note(done.study).splitlines() == expected_note(done, parent)
    save_note(done.study, "what I think of it")

    before = done.study.trials
    again = tune(same)
    assert get_note(done.study) == "what I think of it"
    assert again.outcome == done.outcome
    assert len(again.study.trials) == 3
    assert len(runs()) == 5

    more = tune(search(store, trials=4))
    assert more.study.trials[:3] == before
    assert len(more.study.trials) == 4
    assert len({str(t.params) for t in more.study.trials}) == 4

    refuses_what_changed(store)
    assert len(study_of(store.root).trials) == 4
    mlflow.MlflowClient().delete_registered_model("tiny")
    assert tune(search(store, trials=4)).outcome.stage == "Production"


def test_a_study_of_two_objectives_ends_with_its_front_and_the_winner_that_the_rule_selects(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tune(search(store, trials=7, experiment=Loose))
    assert [trial.state for trial in done.study.trials] == [TrialState.COMPLETE] * 7
    values = {trial.number: tuple(trial.values) for trial in done.study.trials}
    assert {values[number] for number in done.front["trial"]} == {tuple(t.values) for t in done.study.best_trials}
    assert done.front["val/loss"] == sorted(done.front["val/loss"])
    assert done.best.values[1] == min(units for _, units in values.values())
    assert done.front["selected"] == ["yes" if number == done.best.number else "" for number in done.front["trial"]]
    assert mlflow.get_run(done.outcome.run).data.params["units"] == str(int(done.best.values[1]))
    output.print_tuned(done, store)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"complete val/loss {values[0][0]:.5g} model/units {values[0][1]:g}" in shown
    assert "Pareto front: the non-dominated trials" in shown
    assert f"best trial │ {done.best.number}: {done.best.values[0]:.5g}, {done.best.values[1]:g}" in shown

    parent = done.study.user_attrs["run"]
    figures = {path.name for path in (store.root / "artifacts").rglob("*.png")}
    assert {"front.png", "history-val-loss.png", "slices-model-units.png"} <= figures
    metrics = mlflow.get_run(parent).data.metrics
    assert [metrics["study/best/val/loss"], metrics["study/best/model/units"]] == done.best.values
    logged = queries.read_json(parent, "tables/front.json")
    assert logged["columns"] == ["trial", "val/loss", "model/units", "selected", "log2_units", "seed"]
    assert [row[0] for row in logged["data"]] == done.front["trial"]

    before = done.study.trials
    other = tune(search(store, trials=7, experiment=Strict))
    assert other.study.trials == before
    assert other.best.values[0] == min(trial.values[0] for trial in other.study.trials)
    assert (other.outcome == done.outcome) == (other.best == done.best)
    assert [row[0] for row in queries.read_json(parent, "tables/front.json")["data"]] == other.front["trial"]


@pytest.mark.parametrize("begun", ["with a signature", "without one"])
def test_a_study_of_other_objectives_is_refused(store: Store, begun: str) -> None:
    two = search(store, experiment=tiny.Sized)
    if begun == "with a signature":
        check_unchanged(two.study(), signature(two))
        check_unchanged(two.study(), signature(two))
    else:  # as its driver leaves it that dies between creating it and storing the signature
        two.study()

    class Opposite(tiny.Tiny):
        name = "tiny"
        objectives = {"val/loss": "minimize", "model/units": "maximize"}

    for experiment in (tiny.Tiny, Opposite):
        now = ", ".join(experiment.objectives.values())
        with pytest.raises(
            StudyChanged,
            match=f"^study 'tiny': direction was minimize, minimize when it began and is {now} now; change it back, "
            r"or begin another with STUDY=name$",
        ):
            tune(search(store, experiment=experiment))


def test_failed_trials_are_recorded_with_their_reason_and_the_study_goes_on(store: Store) -> None:
    space = partial(failing_space, ("die", "raise", "diverge", "", "forget"))
    with pytest.raises(UserError, match="no trial was completed; the last reason: NotFinite: train/loss is"):
        tune(search(store, trials=3, space=space, experiment=tiny.Sized))
    done = tune(search(store, trials=5, space=space, experiment=tiny.Sized))
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


@pytest.mark.parametrize(
    ("experiment", "error"),
    [
        (Misspelled, f"unknown objective 'val/los'; did you mean val/loss? {EPOCH}"),
        pytest.param(
            MisspelledResult,
            f"unknown objective 'model/unit'; did you mean model/units? {EPOCH}, model/units",
            marks=pytest.mark.slow,
        ),
        (MisspelledMonitor, f"unknown monitor 'val/error'; no metric is like it. {EPOCH}"),
    ],
)
def test_a_metric_that_does_not_exist_ends_the_whole_study_at_once_which_goes_on_when_it_is_corrected(
    experiment: type[tiny.Tiny], error: str, store: Store
) -> None:
    with pytest.raises(UnknownMetric) as raised:
        tune(search(store, trials=9, experiment=experiment, workers=2))
    assert str(raised.value) == error
    begun = [trial for trial in study_of(store.root).trials if trial.state is not TrialState.WAITING]
    assert 1 <= len(begun) <= 2, "no further trial begins"
    assert {trial.state for trial in begun} == {TrialState.FAIL}
    assert {trial.user_attrs["reason"] for trial in begun} == {error}
    assert {run.info.status for run in runs()} == {"FAILED"}
    assert all(error in run.data.tags["reason"] for run in runs())
    if experiment is Misspelled:
        done = tune(search(store, trials=1))
        assert [trial.state for trial in finished_trials(done.study)] == [TrialState.COMPLETE]
        assert done.best.params == begun[0].params


def test_a_space_that_does_not_fit_its_config_is_found_before_work_begins(store: Store) -> None:
    with pytest.raises(UserError, match=r"unknown field 'unit'; did you mean units\?"):
        tune(search(store, space=misspelt_space))
    assert not (store.root / "optuna.db").exists()


def test_fixed_fields_are_not_searched(store: Store) -> None:
    fixed, trial = search(store, seed=7), optuna.trial.FixedTrial({"log2_units": 3})
    assert fixed.experiment(trial, in_full=True).config == tiny.Tiny.Config(units=8, seed=7)
    assert fixed.experiment(trial, in_full=False).config == tiny.Tiny.Config(units=8, seed=7, epochs=1)


@pytest.mark.parametrize(
    "kills", [[signal.SIGKILL], pytest.param([signal.SIGINT, signal.SIGKILL], marks=pytest.mark.slow)]
)
def test_a_study_killed_again_and_again_goes_on_where_it_was_on_two_workers(
    kills: list[signal.Signals], store_path: Path
) -> None:
    pipe = store_path / "pipe"
    os.mkfifo(pipe)
    another = r"^study 'tiny': another process runs it; help it with `make work STUDY=tiny STORE=.*`, or set STUDY=name"
    for kill in kills:
        process = paused(store_path, pipe)
        with pytest.raises(UserError, match=another):
            tune(search(open_store(store_path), experiment=tiny.Sized))
        process.send_signal(kill)
        process.wait()
    study = tune(search(open_store(store_path), trials=6, experiment=tiny.Sized, workers=2)).study

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
