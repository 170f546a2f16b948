"""Trials of several objectives are pruned where the Pareto front of the others dominates them at equal epoch."""

from collections.abc import Callable, Mapping

import optuna
import pytest
from optuna.trial import Trial, TrialState

from library.framework.tuning import front
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from library.framework.tuning.trials import finished_trials
from tests import tiny

OBJECTIVES = {"val/score": "maximize", "model/units": "minimize"}


class Known(tiny.Tiny):
    """The network's size is known before the training."""

    name = "tiny"
    objectives = {"val/loss": "minimize", "model/units": "minimize"}
    trial_overrides: Mapping[str, int] = {"epochs": 4}
    prune_after = 1

    @property
    def config_metrics(self) -> Mapping[str, float]:
        return {"model/units": float(self.config.units)}


def reported(study: optuna.Study, scores: list[float], units: float) -> Trial:
    """A trial with these scores in its first epochs."""
    trial = study.ask()
    for score in scores:
        front.report(trial, {"val/score": score, "model/units": units}, OBJECTIVES)
    return trial


@pytest.fixture
def study() -> optuna.Study:
    """Three trials of 8 units, the best of which was 0.6 and 0.9, and a better one of 16, of one epoch."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    for scores, units in (([0.5, 0.7], 8), ([0.6, 0.9], 8), ([0.4, 0.8], 8), ([0.99], 16)):
        study.tell(reported(study, scores, units), [scores[-1], units])
    return study


@pytest.mark.parametrize(
    ("scores", "units", "expected"),
    [
        ([0.5], 8, True),  # 0.6 was reached by then
        ([0.59], 8, False),  # less than 5 % better
        ([0.59], 9, True),  # but smaller, too
        ([0.1], 7, False),  # the smallest
        ([0.7], 12, False),  # better than the small ones, smaller than the good one
        ([0.98], 20, True),
        ([0.5, 0.7], 8, False),  # only three had a second epoch
        ([0.65, 0.1], 8, False),  # the best yet counts
    ],
)
def test_a_trial_is_dominated_where_another_was_better_by_more_than_the_tolerance(
    study: optuna.Study, scores: list[float], units: float, expected: bool
) -> None:
    assert front.is_dominated(study, reported(study, scores, units), OBJECTIVES) == expected


def test_nothing_is_pruned_before_four_trials_are_complete() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for _ in range(3):
        study.tell(reported(study, [0.9], 8), [0.9, 8])
    assert not front.is_dominated(study, reported(study, [0.1], 9), OBJECTIVES)


@pytest.mark.slow
def test_a_study_of_two_objectives_prunes_what_its_front_dominates(new_search: Callable[..., Search]) -> None:
    tuned = tune(new_search(experiment=Known(), trials=14))
    trials = finished_trials(tuned.study)
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED]
    assert 0 < len(pruned) < 10
    assert all(trial.number >= 4 for trial in pruned)
    for trial in pruned:
        scores, epochs = trial.system_attrs[front.SCORES], int(trial.user_attrs["reason"].split("epoch ")[1][0])
        assert trial.user_attrs["reason"] == f"pruned after epoch {epochs}: the Pareto front of the others was better"
        assert len(scores) == epochs >= 2
        assert scores[-1][1] == 2 ** trial.params["log2_units"]
    assert tuned.best.number not in {trial.number for trial in pruned}
    assert tuned.outcome.metrics["model/units"] == tuned.best.values[1]
