"""Which trials of a study count, which were interrupted, and how those are repeated."""

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from library import tracking

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def counted(study: Study) -> list[FrozenTrial]:
    """The finished trials, without those that were interrupted and repeated."""
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get("repeats") for trial in trials}
    return [trial for trial in trials if trial.state in FINISHED and trial.number not in repeated]


def retire_interrupted(study: Study) -> None:
    """Fails the trials whose process is gone and queues them again; only while no worker runs."""
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get("repeats") for trial in trials}
    for trial in trials:
        if trial.state is TrialState.RUNNING:
            if trial.number not in repeated:
                study.enqueue_trial(trial.params, user_attrs={"repeats": trial.number})
            fail(study, trial, "interrupted")


def fail(study: Study, trial: FrozenTrial, reason: str) -> None:
    """Ends a trial and its run, whose process must be gone."""
    study.tell(trial.number, state=TrialState.FAIL)
    run = trial.user_attrs.get("run")
    if run and tracking.is_running(run):
        tracking.end_run(run, "FAILED", reason)
