"""Trials whose worker died: their runs end as they did."""

import mlflow
import optuna
from optuna.trial import TrialState

from library.framework.tracking.store import Store
from library.framework.tuning.trials import end_runs


def test_the_run_of_a_trial_whose_worker_died_before_the_trial_knew_the_run_ends_as_the_trial(store: Store) -> None:
    client, study = mlflow.MlflowClient(), optuna.create_study(study_name="tiny")
    states = [TrialState.FAIL, TrialState.PRUNED]
    for state in states:
        trial = study.ask()
        trial.set_user_attr("reason", f"it is {state.name}")
        study.tell(trial, state=state)
    study.ask()  # a third, which is running
    tags = [{"study": "tiny", "trial": str(number)} for number in range(3)]
    others = [{"study": "another", "trial": "0"}, {"study": "tiny"}, {**tags[0], "study.run": "of the winner"}]
    experiment = client.create_experiment("tiny")
    made = [client.create_run(experiment, tags=tag).info.run_id for tag in [*tags, *others]]
    end_runs(study)
    ended = [client.get_run(run) for run in made]
    assert [run.info.status for run in ended] == ["FAILED", "KILLED", *["RUNNING"] * 4]
    assert [run.data.tags.get("reason") for run in ended] == ["it is FAIL", "it is PRUNED", *[None] * 4]
