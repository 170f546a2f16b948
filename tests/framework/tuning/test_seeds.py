"""Trials of several seeds: their means count, each has a run, a config that loses with every seed is pruned."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mlflow
import pytest
from optuna.trial import BaseTrial, TrialState

from library import Run, TrainingResult
from library.framework.errors import StudyChanged, UserError
from library.framework.options import StudyOptions
from library.framework.reproduction import rerun
from library.framework.tracking.mlflow_run import start_run
from library.framework.tuning.samplers import resolve
from library.framework.tuning.search import Search
from library.framework.tuning.seeds import train_seeds
from library.framework.tuning.study import tune
from library.framework.tuning.trials import finished_trials
from tests import tiny

NewSearch = Callable[..., Search]


class Known(tiny.Tiny):
    """The loss is a hundredth of the seed more than the units."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        result = super().fit(run, callbacks)
        return replace(result, metrics={"val/loss": self.config.units + self.config.seed / 100})


def sizes(trial: BaseTrial) -> dict[str, int]:
    return {"units": trial.suggest_categorical("units", [4, 7]), "seed": 10}


@pytest.mark.slow
def test_the_mean_of_the_seeds_counts_and_what_loses_with_each_is_pruned(
    new_search: NewSearch,
) -> None:
    tuned = tune(new_search(sizes, Known(), trials=2, seeds=4))
    better, worse = finished_trials(tuned.study)
    losses = [4.10, 4.11, 4.12, 4.13]
    assert (better.params, better.state, better.value) == ({"units": 4}, TrialState.COMPLETE, pytest.approx(4.115))
    assert better.intermediate_values == dict(enumerate(losses, start=1))
    assert (worse.params, worse.state) == ({"units": 7}, TrialState.PRUNED)
    assert worse.user_attrs["reason"] == "pruned after 3 of 4 seeds by WilcoxonPruner"
    assert tuned.best.number == better.number

    run = mlflow.get_run(better.user_attrs["run"])
    assert run.data.metrics["val/loss"] == pytest.approx(4.115)
    assert run.data.metrics["val/loss_standard_error"] == pytest.approx(statistics.stdev(losses) / 2)
    assert (run.data.tags["seeds"], run.data.params["seed"]) == ("4", "10")
    below = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    children = mlflow.search_runs(search_all_experiments=True, filter_string=below, output_format="list")
    assert sorted((one.info.run_name, one.data.params["seed"]) for one in children) == [
        (f"trial 000, seed {seed}", str(seed)) for seed in (10, 11, 12, 13)
    ]
    assert {one.info.status for one in children} == {"FINISHED"}

    with pytest.raises(UserError, match=r"is the mean of several seeds and trained nothing .*trial 000, seed 13"):
        rerun.plan(run.info.run_id)
    with pytest.raises(StudyChanged, match=r"^study 'tiny': seeds was 4 when it began and is 1 now"):
        tune(new_search(sizes, Known(), trials=2))


def test_a_trial_that_is_interrupted_again_and_again_trains_the_seeds_that_are_missing(new_search: NewSearch) -> None:
    search, trained = new_search(sizes, Known(units=7), seeds=3), list[int]()

    def run(trial: Any) -> dict[str, float]:
        def fit(one: Any, _: Run) -> dict[str, float]:
            trained.append(one.config.seed)
            if len(trained) in (3, 4):
                raise KeyboardInterrupt
            return {"val/loss": float(one.config.seed)}

        experiment = search.experiment(trial, in_full=False)
        with start_run(search.store, "tiny", "trial", config=experiment.config) as of_trial:
            return dict(train_seeds(search, experiment, trial, of_trial, "trial", fit))

    study = search.study()
    trial = study.ask()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(trial)
        study.enqueue_trial({}, user_attrs={"repeats": trial.number})
        trial = study.ask()
    assert run(trial) == {"val/loss": 11.0}
    assert trained == [10, 11, 12, 12, 12]


@pytest.mark.parametrize(
    ("given", "objectives", "pruner"),
    [
        ({}, ["a"], "median"),
        ({}, ["a", "b"], "front"),
        ({"seeds": 3}, ["a"], "wilcoxon"),
        ({"seeds": 3}, ["a", "b"], "none"),
        ({"seeds": 3, "pruner": "none"}, ["a"], "none"),
    ],
)
def test_seeds_have_pruners_of_their_own(given: Any, objectives: list[str], pruner: str) -> None:
    assert resolve(StudyOptions(**given), sizes, dict.fromkeys(objectives, "minimize"))[1] == pruner


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            {"seeds": 3, "pruner": "median"},
            "pruner: got 'median' with one objective and 3 seeds; allowed is one of wilcoxon, none",
        ),
        (
            {"pruner": "wilcoxon"},
            "pruner: got 'wilcoxon' with one objective; allowed is one of median, percentile, hyperband, halving, none",
        ),
    ],
)
def test_a_pruner_that_compares_something_else_is_one_line(given: Any, error: str) -> None:
    with pytest.raises(UserError) as raised:
        resolve(StudyOptions(**given), sizes, {"a": "minimize"})
    assert str(raised.value) == error
