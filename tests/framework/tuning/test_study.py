"""Studies: finished, resumed, of two objectives, and refused where they were changed; on real stores."""

from collections.abc import Callable
from typing import Any

import mlflow
import optuna
import pytest
from optuna.trial import BaseTrial, TrialState
from optuna_dashboard import get_note, save_note

from library import Run, TrainingResult
from library.framework.cli import output
from library.framework.errors import StudyChanged, UserError
from library.framework.objectives import BestWithinTolerance
from library.framework.tracking import queries
from library.framework.tracking.store import Store
from library.framework.tuning.attributes import keep, kept
from library.framework.tuning.search import Search, check_unchanged, signature
from library.framework.tuning.study import Tuned, tune
from tests import tiny

NewSearch = Callable[..., Search]


class Loose(tiny.Sized):
    """Selects the smallest network, as every loss is good enough."""

    name = "tiny"
    select = BestWithinTolerance(10.0)


class Strict(tiny.Sized):
    """Selects the least loss."""

    name = "tiny"
    select = BestWithinTolerance(0.0)


class Raising(tiny.Tiny):
    """Raises the number of trials of its study, whose database `fails` names, as a later command does."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        study = optuna.load_study(study_name="tiny", storage=self.config.fails)
        begun = kept(study, "search")
        keep(study, "search", {**begun, "options": {**begun["options"], "trials": 3}})
        return super().fit(run, callbacks)


def runs() -> list[mlflow.entities.Run]:
    return mlflow.search_runs(experiment_names=["tiny"], output_format="list")


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


def refuses_what_changed(new_search: NewSearch) -> None:
    for changed, name in [
        (new_search(narrower_space), "search space of log2_units"),
        (new_search(experiment=tiny.Tiny(batch_size=8)), "config field batch_size"),
        (new_search(experiment=tiny.Tiny(data_seed=1)), "config field data_seed"),
    ]:
        with pytest.raises(StudyChanged, match=f"^study 'tiny': {name} was .* is .* now; change it back"):
            tune(changed)


def test_a_study_ends_with_its_winner_registered_and_its_figures_logged_and_resumes(
    store: Store, new_search: NewSearch
) -> None:
    done = tiny.Tiny().tune(store, tiny.space, trials=3, workers=1, study="tiny")
    assert [trial.state for trial in done.study.trials].count(TrialState.COMPLETE) >= 1
    assert len(done.study.trials) == 3
    assert done.outcome.stage == "Production"
    (parent,) = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 4
    figures = {path.name for path in (store.root / "artifacts").rglob("*.png")}
    assert {"history.png", "slices.png", "parallel-coordinates.png"} <= figures
    winner, same = mlflow.get_run(done.outcome.run), new_search(trials=3)
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

    more = tune(new_search(trials=4))
    assert more.study.trials[:3] == before
    assert len(more.study.trials) == 4
    assert len({str(t.params) for t in more.study.trials}) == 4

    refuses_what_changed(new_search)
    assert len(more.study.trials) == 4
    mlflow.MlflowClient().delete_registered_model("tiny")
    assert tune(new_search(trials=4)).outcome.stage == "Production"


@pytest.mark.slow
def test_whoever_is_at_work_sees_that_more_trials_are_wanted(store: Store, new_search: NewSearch) -> None:
    done = tune(new_search(experiment=Raising(fails=store.studies_uri), trials=1))
    assert [trial.state for trial in done.study.trials] == [TrialState.COMPLETE] * 3


@pytest.mark.slow
def test_a_study_of_two_objectives_ends_with_its_front_and_the_winner_that_the_rule_selects(
    store: Store, new_search: NewSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tune(new_search(experiment=Loose(), trials=7))
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
    other = tune(new_search(experiment=Strict(), trials=7))
    assert other.study.trials == before
    assert other.best.values[0] == min(trial.values[0] for trial in other.study.trials)
    assert (other.outcome == done.outcome) == (other.best == done.best)
    assert [row[0] for row in queries.read_json(parent, "tables/front.json")["data"]] == other.front["trial"]


@pytest.mark.parametrize("begun", ["with a signature", "without one"])
def test_a_study_of_other_objectives_is_refused(new_search: NewSearch, begun: str) -> None:
    two = new_search(experiment=tiny.Sized())
    if begun == "with a signature":
        check_unchanged(two.study(), signature(two), two.base.Config)
        check_unchanged(two.study(), signature(two), two.base.Config)
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
            tune(new_search(experiment=experiment()))


def test_a_space_that_does_not_fit_its_config_is_found_before_work_begins(store: Store, new_search: NewSearch) -> None:
    with pytest.raises(UserError, match=r"unknown field 'unit'; did you mean units\?"):
        tune(new_search(misspelt_space))
    assert not (store.root / "optuna.db").exists()


def test_fixed_fields_are_not_searched(new_search: NewSearch) -> None:
    fixed, trial = new_search(experiment=tiny.Tiny(seed=7)), optuna.trial.FixedTrial({"log2_units": 3})
    assert fixed.experiment(trial, in_full=True).config == tiny.Tiny.Config(units=8, seed=7)
    assert fixed.experiment(trial, in_full=False).config == tiny.Tiny.Config(units=8, seed=7, epochs=1)


def test_a_field_that_the_config_got_later_had_its_default(new_search: NewSearch) -> None:
    before, now = new_search(), new_search(experiment=tiny.Tiny(data_seed=0))
    begun = {name: value for name, value in signature(before).items() if name != "config field data_seed"}
    keep(before.study(), "signature", begun)
    check_unchanged(now.study(), signature(now), tiny.Tiny.Config)
    assert kept(now.study(), "signature") == signature(now)
    keep(before.study(), "signature", begun)
    other = new_search(experiment=tiny.Tiny(fails="forget"))
    with pytest.raises(StudyChanged, match='config field fails was "" when it began and is "forget" now'):
        check_unchanged(other.study(), {**signature(other), "data digest": begun["data digest"]}, tiny.Tiny.Config)
