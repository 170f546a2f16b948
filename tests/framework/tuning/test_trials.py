"""Trials whose worker died: their runs end as they did."""

import mlflow
import optuna
from optuna.trial import TrialState

from library.framework.tracking.store import Store
from library.framework.tuning.trials import end_runs, recover_interrupted


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


def test_a_worker_that_ends_its_study_is_not_taken_for_lost_while_its_process_ends(store: Store) -> None:
    study = optuna.create_study(study_name="tiny")
    trial = study.ask()
    trial.set_user_attr("worker", "ending")  # which has given back its lock
    trial.set_user_attr("reason", "unknown objective")
    assert recover_interrupted(store, study, known=["ending"]) == []
    assert [one.number for one in recover_interrupted(store, study, reason="its worker was lost")] == [0]
    ended, again = study.trials
    assert (ended.state, ended.user_attrs["reason"]) == (TrialState.FAIL, "unknown objective")
    assert (again.state, again.user_attrs["repeats"]) == (TrialState.WAITING, 0)


def test_the_run_of_a_finished_trial_follows_it_and_that_of_another_study_stays(store: Store) -> None:
    client, study = mlflow.MlflowClient(), optuna.create_study(study_name="tiny")
    experiment, made = client.create_experiment("tiny"), []
    for name, status in (("tiny", "FINISHED"), ("tiny", "FAILED"), ("another", "FINISHED")):
        made.append(client.create_run(experiment, tags={"study": name}).info.run_id)
        client.set_terminated(made[-1], status)
        trial = study.ask()
        trial.set_user_attr("run", made[-1])
        study.tell(trial, state=TrialState.FAIL)
    client.delete_run(made[1])
    end_runs(study)
    assert [client.get_run(run).info.status for run in made] == ["FAILED", "FAILED", "FINISHED"]
