"""Samplers and pruners by name: each runs a study trial by trial; what does not go together is one line."""

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.trial import BaseTrial

from library.framework.errors import UserError
from library.framework.options import StudyOptions
from library.framework.tuning.distinct import DistinctTrials
from library.framework.tuning.samplers import PACKAGES, PRUNERS, SAMPLERS, make_sampler, resolve
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from tests import tiny

NewSearch = Callable[..., Search]
ONE, TWO = {"val/loss": "minimize"}, {"val/loss": "minimize", "model/units": "minimize"}


def continuous(trial: BaseTrial) -> dict[str, Any]:
    """A field on a log scale and a small one."""
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    return {"learning_rate": rate, "units": trial.suggest_int("units", 1, 64)}


def drawn(search: Search, trials: int, sampler: str) -> list[dict[str, Any]]:
    """The parameters of so many trials, each asked for with a sampler of its own, as workers do."""
    study = search.study()
    distinct = DistinctTrials(search, study)
    for token in range(len(study.trials), trials):
        study.sampler = make_sampler(sampler, 0, token, parallel=False)
        trial = distinct.next()
        assert trial is not None
        values = [trial.params.get("learning_rate", 1) * sum(trial.params.values()), 1.0][: len(search.objectives)]
        study.tell(trial, values)
    return [one.params for one in study.trials]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "objectives"),
    [(name, objectives) for name in SAMPLERS for objectives in (ONE, TWO) if (name, objectives) != ("cmaes", TWO)],
)
def test_every_sampler_draws_trials_that_a_resumed_study_draws_too(
    new_search: NewSearch, sampler: str, objectives: Any
) -> None:
    package = PACKAGES.get(sampler)
    if package and importlib.util.find_spec(package) is None:
        error = f"^sampler: '{sampler}' needs the package {package}, which is not installed; pip install {package}$"
        with pytest.raises(UserError, match=error):
            resolve(StudyOptions(sampler=sampler), continuous, objectives)
        return
    space = tiny.space if sampler == "grid" else continuous
    experiment = tiny.Tiny() if objectives is ONE else tiny.Sized()
    assert resolve(StudyOptions(sampler=sampler), space, objectives)[0] == sampler
    at_once = drawn(new_search(space, experiment, sampler=sampler, study="at-once"), 16, sampler)
    drawn(new_search(space, experiment, sampler=sampler, study="resumed"), 8, sampler)
    assert drawn(new_search(space, experiment, sampler=sampler, study="resumed"), 16, sampler) == at_once
    assert len({str(params) for params in at_once}) == 16


@pytest.mark.slow
@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "front"])
def test_every_pruner_ends_the_worse_of_many_trials_or_none(new_search: NewSearch, pruner: str) -> None:
    study = new_search(continuous, pruner=pruner, seeds=16 if pruner == "wilcoxon" else 1).study()
    pruned = set()
    for number in range(30):
        trial = study.ask()
        for epoch in range(1, 17):
            trial.report(number / epoch, epoch)
            if trial.should_prune():
                pruned.add(number)
                break
        study.tell(trial, None if number in pruned else float(number), state=None if number not in pruned else PRUNED)
    assert bool(pruned) == (pruner != "none")
    assert 0 not in pruned, "the best"


PRUNED = optuna.trial.TrialState.PRUNED


@pytest.mark.parametrize(
    ("space", "experiment", "options", "error"),
    [
        (continuous, tiny.Tiny, {"sampler": "grid"}, "^sampler: got 'grid' with a search space in which "
         "learning_rate is continuous; allowed are choices, integers and floats with a step$"),
        (continuous, tiny.Sized, {"pruner": "hyperband"}, "^pruner: got 'hyperband' with 2 objectives; "
         "allowed is one of front, none$"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_found_before_anything_begins(
    new_search: NewSearch, space: Any, experiment: Any, options: dict[str, str], error: str
) -> None:
    search = new_search(space, experiment(), **options)
    with pytest.raises(UserError, match=error):
        tune(search)
    assert not (search.store.root / "optuna.db").exists()


def test_a_sampler_of_one_objective_is_refused_with_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    assert resolve(StudyOptions(sampler="cmaes"), continuous, ONE) == ("cmaes", "median")
    error = "^sampler: got 'cmaes' with 2 objectives; allowed is one of tpe, gp, qmc, grid, random, nsgaii$"
    with pytest.raises(UserError, match=error):
        resolve(StudyOptions(sampler="cmaes"), continuous, TWO)


def test_a_space_names_its_sampler_and_pruner_which_options_override(
    new_search: NewSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(**options: str) -> tuple[str, str]:
        search = new_search(continuous, **options)
        return search.sampler, search.pruner

    assert names() == ("tpe", "median")
    assert new_search(continuous, tiny.Sized()).pruner == "front"
    with pytest.raises(
        UserError, match=r"^pruner: got 'front' with one objective; allowed is one of median, .*, none$"
    ):
        names(pruner="front")
    module = sys.modules[continuous.__module__]
    monkeypatch.setattr(module, "SAMPLER", "qmc", raising=False)
    monkeypatch.setattr(module, "PRUNER", "none", raising=False)
    assert names() == ("qmc", "none")
    assert names(sampler="random", pruner="halving") == ("random", "halving")
    monkeypatch.setattr(module, "SAMPLER", "nsga")
    with pytest.raises(UserError, match=r"^unknown sampler 'nsga'; did you mean nsgaii\?$"):
        names()
