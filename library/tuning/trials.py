"""Which trials of a study count, which were interrupted, and how those are repeated."""

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from library import tracking

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
RUN_STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


def counted(study: Study) -> list[FrozenTrial]:
    """The finished trials, without those that were interrupted and repeated."""
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get("repeats") for trial in trials}
    return [trial for trial in trials if trial.state in FINISHED and trial.number not in repeated]


def mend(study: Study) -> None:
    """Fails the trials whose process is gone, queues them again, and ends every run as its trial ended.

    Only for the study's driver, while none of its workers runs.
    """
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get("repeats") for trial in trials}
    for trial in trials:
        if trial.state is TrialState.RUNNING:
            if trial.number not in repeated:
                study.enqueue_trial(trial.params, user_attrs={"repeats": trial.number})
            fail(study, trial, "interrupted")
        elif trial.state in FINISHED and "run" in trial.user_attrs:
            tracking.align_run(trial.user_attrs["run"], RUN_STATUS[trial.state], trial.user_attrs.get("reason", ""))


def fail(study: Study, trial: FrozenTrial, reason: str) -> None:
    """Ends a trial and its run, whose process must be gone."""
    Trial(study, trial._trial_id).set_user_attr("reason", reason)
    study.tell(trial.number, state=TrialState.FAIL)
    if "run" in trial.user_attrs:
        tracking.align_run(trial.user_attrs["run"], RUN_STATUS[TrialState.FAIL], reason)
