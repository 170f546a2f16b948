"""Constraints of an experiment: trials beyond one do not win, and samplers are told."""

from collections.abc import Callable

import mlflow
import pytest
from optuna.trial import BaseTrial, TrialState

from library.framework.errors import StudyChanged, UnknownMetric, UserError
from library.framework.tuning.results import StudyResults
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from library.framework.tuning.trials import duplicates_of
from tests import tiny

NewSearch = Callable[..., Search]


class Small(tiny.Tiny):
    """4 units + 1 parameters are at most 20: 4 units or fewer."""

    name = "tiny"
    constraints = {"model/parameters": 20}


class Least(tiny.Tiny):
    """No network is as small."""

    name = "tiny"
    constraints = {"model/parameters": 1}


class Misspelled(tiny.Tiny):
    """There is no such metric."""

    name = "tiny"
    constraints = {"model/parameter": 20}


def sizes(trial: BaseTrial) -> dict[str, int]:
    """Four networks, of which two are too large, and the larger the better."""
    exponent = trial.suggest_int("exponent", 1, 4)
    return {"units": 2**exponent, "epochs": 3}


@pytest.mark.slow
def test_a_trial_beyond_a_constraint_says_so_and_does_not_win(
    new_search: NewSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = tune(new_search(sizes, Small(), trials=8))
    printed = capsys.readouterr().out
    done = [trial for trial in tuned.study.trials if "run" in trial.user_attrs]
    assert {trial.params["exponent"] for trial in done} == {1, 2, 3, 4}
    for trial in tuned.study.trials:
        assert trial.state is TrialState.COMPLETE
        parameters = 4 * 2 ** trial.params["exponent"] + 1
        assert trial.constraints == {"model/parameters": parameters - 20}
        beyond = f"model/parameters is {parameters}, beyond 20"
        if trial in done:
            assert trial.user_attrs.get("reason") == (beyond if parameters > 20 else None)
            assert (beyond in printed) == (parameters > 20)
    fitting = [trial for trial in done if trial.params["exponent"] <= 2]
    assert tuned.best.number == min(fitting, key=lambda trial: trial.value).number
    assert {one.number for one in StudyResults(tuned.study, Small.objectives).best()} <= {
        one.number for one in (*fitting, *duplicates_of(tuned.study.trials))
    }
    assert mlflow.get_run(tuned.outcome.run).data.metrics["model/parameters"] <= 20
    with pytest.raises(StudyChanged, match="constraint on model/parameters was 20 when it began and is none now"):
        tune(new_search(sizes, tiny.Tiny(), trials=8))


@pytest.mark.slow
def test_a_study_without_a_trial_within_the_constraints_has_no_winner(new_search: NewSearch) -> None:
    error = r"^study 'tiny': no trial is within the constraints; the last reason: model/parameters is \d+, beyond 1$"
    with pytest.raises(UserError, match=error):
        tune(new_search(sizes, Least(), trials=1))


@pytest.mark.slow
def test_a_constraint_on_a_metric_that_there_is_not_ends_the_study(new_search: NewSearch) -> None:
    with pytest.raises(UnknownMetric, match=r"^unknown constraint 'model/parameter'; did you mean model/parameters\?"):
        tune(new_search(sizes, Misspelled(), trials=1))
