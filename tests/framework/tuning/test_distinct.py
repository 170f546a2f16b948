"""No config is trained twice: first trials, duplicates, exhausted spaces, repeats of failed trials."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import BaseTrial, FrozenTrial, TrialState, create_trial

from library import Run, TrainingResult
from library.framework.errors import UserError
from library.framework.tuning.combinations import all_combinations, express
from library.framework.tuning.distinct import DistinctTrials
from library.framework.tuning.first_trials import enqueue_first_trials
from library.framework.tuning.results import StudyResults
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from library.framework.tuning.trials import duplicates_of, finished_trials, recover_interrupted, retry_failed
from tests import tiny

NewSearch = Callable[..., Search]


class Failing(tiny.Tiny):
    """Fails as long as there is a file."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        if Path(self.config.fails).exists():
            raise MemoryError("full")
        return super().fit(run, callbacks)


def six(trial: BaseTrial) -> dict[str, Any]:
    """Six configs, of which two have one value and four another, conditional one."""
    units = trial.suggest_categorical("units", [2, 8])
    return {"units": units, "seed": trial.suggest_int("seed", 0, 1 if units == 2 else 3)}


def three(trial: BaseTrial) -> dict[str, Any]:
    """Three configs, and more values than can be counted."""
    return {"units": round(trial.suggest_float("size", 1, 3))}


def narrow(trial: BaseTrial) -> dict[str, Any]:
    """No default is in it but the learning rate's."""
    return {
        "units": trial.suggest_int("units", 8, 16),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
    }


def finish(
    study: optuna.Study, distinct: DistinctTrials, state: TrialState = TrialState.COMPLETE
) -> FrozenTrial | None:
    """Asks for a trial and ends it, without a training."""
    trial = distinct.next()
    if trial is None:
        return None
    return study.tell(trial, sum(trial.params.values()) if state is TrialState.COMPLETE else None, state=state)


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
def test_a_space_of_six_configs_gives_six_trials_and_no_more(new_search: NewSearch, sampler: str) -> None:
    search = new_search(six, sampler=sampler)
    assert len(list(all_combinations(search))) == 6
    study = search.study()
    distinct = DistinctTrials(search, study)
    found = [finish(study, distinct) for _ in range(8)]
    assert len({str(one.params) for one in found[:6] if one}) == 6
    assert found[6:] == [None, None]
    assert len(finished_trials(study)) == 6
    assert sampler == "tpe" or not duplicates_of(study.trials)
    assert DistinctTrials(search, study).next() is None, "of another worker, too"


def test_what_another_worker_trains_counts_and_a_duplicate_gets_the_result_of_the_first(new_search: NewSearch) -> None:
    search = new_search(six)
    study = search.study()
    one, other = DistinctTrials(search, study), DistinctTrials(search, search.study())
    first, second = one.next(), other.next()
    assert first is not None and second is not None
    assert first.params != second.params
    study.tell(first, 0.5)
    second.report(0.9, 1)
    study.tell(second, state=TrialState.PRUNED)
    before = len(duplicates_of(study.trials))
    for params in (first.params, second.params):
        study.enqueue_trial(params)
    third = one.next()
    assert third is not None
    assert third.params not in (first.params, second.params)
    completed, pruned = duplicates_of(study.trials)[before : before + 2]
    assert (completed.state, completed.values) == (TrialState.COMPLETE, [0.5])
    assert (pruned.state, pruned.intermediate_values) == (TrialState.PRUNED, {1: 0.9})
    assert [one.user_attrs["repeats_config"] for one in (completed, pruned)] == [first.number, second.number]
    assert completed.user_attrs["reason"] == f"same as trial {first.number}"
    assert [one.number for one in finished_trials(study)] == [first.number, second.number]


@pytest.mark.nightly
def test_draws_end_where_a_continuous_space_has_few_configs(new_search: NewSearch) -> None:
    search = new_search(three, sampler="random")
    study = search.study()
    distinct = DistinctTrials(search, study)
    found = [finish(study, distinct) for _ in range(20)]
    assert {round(one.params["size"]) for one in found if one} == {1, 2, 3}
    assert len([one for one in found if one]) == 3


def test_a_repeat_of_an_interrupted_or_a_failed_trial_is_no_duplicate(new_search: NewSearch) -> None:
    search = new_search(six)
    study = search.study()
    distinct = DistinctTrials(search, study)
    interrupted = distinct.next()
    assert interrupted is not None
    recover_interrupted(search.store, study)
    repeat = finish(study, distinct, TrialState.FAIL)
    assert repeat is not None
    assert (repeat.params, repeat.user_attrs["repeats"]) == (interrupted.params, interrupted.number)
    retry_failed(study)
    retry_failed(study)
    again = finish(study, distinct)
    assert again is not None
    assert (again.params, again.user_attrs["repeats"]) == (interrupted.params, repeat.number)
    assert finished_trials(study) == [again]
    assert study.get_trials(states=[TrialState.WAITING]) == []


@pytest.mark.slow
def test_a_study_begins_with_the_defaults_then_with_the_best_of_another(
    new_search: NewSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tune(new_search(trials=3, study="deep"))
    assert express(done_search := new_search(study="deep")) == ({"log2_units": 2, "seed": 0}, [])
    assert done.study.trials[0].params == {"log2_units": 2, "seed": 0}
    assert done.study.trials[0].user_attrs["source"] == "defaults"
    assert done_search.experiment(done.study.trials[0], in_full=True).config == tiny.Tiny.Config()

    search = new_search(trials=5, from_study="deep")
    study = search.study()
    enqueue_first_trials(search, study)
    queued = [one.system_attrs["fixed_params"] for one in study.trials]
    assert queued[0] == {"log2_units": 2, "seed": 0}
    assert sorted(map(str, queued)) == sorted(str(one.params) for one in done.study.trials), "each once"
    assert {"study deep, trial 1", "study deep, trial 2"} >= {one.user_attrs["source"] for one in study.trials[2:]}
    assert capsys.readouterr().out.count("cannot be expressed") == 0

    narrower = new_search(narrow, study="narrow", from_study="deep")
    enqueue_first_trials(narrower, narrower.study())
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "the defaults: units 4 cannot be expressed in the search space; the sampler draws the rest"
    assert len(rest) == 3
    assert all("log2_units" in line and "seed" in line for line in rest)
    assert [one.system_attrs["fixed_params"] for one in narrower.study().trials] == [{"learning_rate": 0.002}]


@pytest.mark.slow
def test_a_study_to_begin_from_must_be_there_and_of_the_same_experiment(new_search: NewSearch) -> None:
    class Other(tiny.Tiny):
        name = "other"

    with pytest.raises(UserError, match=r"^unknown study 'deep'; allowed are none, as no study has a finished trial$"):
        tune(new_search(from_study="deep"))
    tune(new_search(trials=1))
    with pytest.raises(UserError, match=r"^from: got study 'tiny' of experiment tiny; allowed is one of other$"):
        tune(new_search(experiment=Other(), study="x", from_study="tiny"))


@pytest.mark.slow
def test_twenty_trials_of_six_configs_train_six_and_end_the_study(
    new_search: NewSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tune(new_search(six, trials=20, workers=2))
    assert len({str(one.params) for one in finished_trials(done.study)}) == 6
    assert "all 6 configs of the space were tried; 14 of 20 trials are not run" in capsys.readouterr().out
    trained = mlflow.search_runs(output_format="list", experiment_names=["tiny"])
    assert len(trained) == 6 + 2, "and the study's, and the winner's"
    for duplicate in duplicates_of(done.study.trials):
        assert "run" not in duplicate.user_attrs
    again = tune(new_search(six, trials=20))
    assert again.outcome == done.outcome


@pytest.mark.slow
def test_no_trial_begins_after_the_timeout_and_the_winner_is_trained(
    new_search: NewSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"^study 'tiny': no trial was completed; none was run$"):
        tune(new_search(trials=2, timeout=1e-6))
    tune(new_search(trials=1))
    capsys.readouterr()
    done = tune(new_search(trials=5, timeout=1e-6, sampler="random"))
    assert (len(finished_trials(done.study)), done.best.number) == (1, 0)
    assert "the 1e-06 minutes are over; 4 of 5 trials are not run" in capsys.readouterr().out
    tags = mlflow.get_run(done.study.user_attrs["run"]).data.tags
    assert (tags["sampler"], tags["pruner"]) == ("random", "median")
    assert tags["command"] == "make tune-tiny STUDY=tiny TRIALS=5 WORKERS=1 TIMEOUT=1e-06 SAMPLER=random"


def test_a_study_says_what_was_important_and_at_which_bounds_the_best_lie(new_search: NewSearch) -> None:
    study = new_search(narrow).study()
    for units, rate in [(16, 9.5e-3), (16, 9e-3), (16, 8.5e-3), (12, 1e-3), (9, 1e-3)]:
        study.add_trial(ended({"units": units, "learning_rate": rate}, -units - rate))
    results = StudyResults(study, {"val/loss": "minimize"})
    assert results.findings() == []
    study.add_trial(ended({"units": 8, "learning_rate": 1e-3}, -8.0))
    importance, *bounds, course = results.findings()
    assert importance == "importance for val/loss: learning_rate 0.81, units 0.19"
    assert bounds == [
        f"{name}: the best three lie at the upper bound; a wider search space may have better"
        for name in ("units", "learning_rate")
    ]
    assert course == "trials after the best: 5 of 6; more trials are unlikely to find a better one"
    defaults = {"units": 8, "learning_rate": 2e-3}
    study.add_trial(create_trial(params=defaults, distributions=KINDS, value=-8.5, user_attrs={"source": "defaults"}))
    assert results.findings()[-1] == (
        "val/loss: -16.009, and -8.5 with the defaults; the best of many looks better than it is, the test split tells "
        "how much is left"
    )


def ended(params: dict[str, Any], value: float) -> FrozenTrial:
    return create_trial(params=params, distributions=KINDS, value=value)


KINDS = {"units": IntDistribution(8, 16), "learning_rate": FloatDistribution(1e-4, 1e-2, log=True)}


@pytest.mark.slow
def test_retry_runs_failed_trials_again_once_the_cause_is_gone(new_search: NewSearch, tmp_path: Path) -> None:
    (cause := tmp_path / "cause").touch()
    experiment = Failing(fails=str(cause))
    error = "no trial was completed; the last reason: MemoryError: full; give RETRY=1 to run them again"
    for _ in range(2):
        with pytest.raises(UserError, match=error):
            tune(new_search(trials=2, experiment=experiment))
    cause.unlink()
    done = tune(new_search(trials=2, experiment=experiment, retry=True))
    assert [one.state for one in done.study.trials] == [TrialState.FAIL] * 2 + [TrialState.COMPLETE] * 2
    assert [one.params for one in done.study.trials[2:]] == [one.params for one in done.study.trials[:2]]
    command = mlflow.get_run(done.study.user_attrs["run"]).data.tags["command"]
    assert command == f"make tune-tiny STUDY=tiny TRIALS=2 WORKERS=1 FAILS={cause}"
