"""Which trials of a study are finished, which are best, which were interrupted, and how those are repeated."""

from collections.abc import Collection, Sequence

from filelock import Timeout
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from ..objectives import Objectives, Selection, pareto_front
from ..tracking.base import Lock, Store
from ..tracking.queries import tagged_runs
from ..tracking.store import set_terminated

REPEATS = "repeats"
"""The attribute of a trial that repeats another: the other's number. The other does not count any more."""
DUPLICATE = "repeats_config"
"""The attribute of a trial that was not trained, as an earlier one has its config: that one's number."""
WORKER = "worker"
"""The attribute of a trial that names the worker that runs it."""
ASK = "ask"
"""The name of the lock under which workers ask for trials: two would get one that waits, or one config."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
RUN_STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


def finished_trials(study: Study) -> list[FrozenTrial]:
    """The finished trials, without those that were repeated and duplicates."""
    return finished_of(study.get_trials(deepcopy=False))


def finished_of(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The same of all trials of a study, where these were read already."""
    repeated = {trial.user_attrs.get(REPEATS) for trial in trials}
    finished = (trial for trial in trials if trial.state in FINISHED and trial.number not in repeated)
    return [trial for trial in finished if DUPLICATE not in trial.user_attrs]


def duplicates_of(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Of all trials of a study those that were not trained, as earlier ones have their configs."""
    return [one for one in trials if one.state in FINISHED and DUPLICATE in one.user_attrs]


def completed(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those that have a value."""
    return [trial for trial in trials if trial.state is TrialState.COMPLETE]


def within_constraints(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those that have a value and that no constraint of the experiment forbids."""
    return [trial for trial in completed(trials) if all(value <= 0 for value in trial.constraints.values())]


def values_of(trial: FrozenTrial, objectives: Objectives) -> dict[str, float]:
    """A trial's values by the names of the objectives; empty if it has none."""
    return dict(zip(objectives, trial.values, strict=True)) if trial.values else {}


def reached(trial: FrozenTrial, objectives: Objectives) -> dict[str, float]:
    """A trial's values; where it has none, the last one that it reported of the first objective."""
    last = {} if trial.last_step is None else {next(iter(objectives)): trial.intermediate_values[trial.last_step]}
    return values_of(trial, objectives) or last


def pareto_trials(trials: Sequence[FrozenTrial], objectives: Objectives) -> list[FrozenTrial]:
    """The non-dominated trials within all constraints, of equal ones the first; one trial with one objective."""
    done = within_constraints(trials)
    return [done[index] for index in pareto_front([values_of(trial, objectives) for trial in done], objectives)]


def select_best(front: Sequence[FrozenTrial], objectives: Objectives, select: Selection) -> FrozenTrial:
    """The trial of a front, which must not be empty, that wins by the experiment's rule."""
    return front[select([values_of(trial, objectives) for trial in front], objectives)]


def recover_interrupted(
    store: Store,
    study: Study,
    dead: Collection[str] = (),
    reason: str = "interrupted",
    known: Collection[str] = (),
) -> list[FrozenTrial]:
    """Fails the trials whose worker is dead, wherever it ran, and queues them again; returns them.

    Args:
        store: of the study; a live worker holds its lock there.
        study: the study.
        dead: workers that are known to be dead, whose locks a server may not have released yet.
        reason: recorded with the trials, but for one whose worker recorded another before it ended.
        known: workers that are left alone, as their engine will tell how they end; some have given back their locks.
    """
    with store.lock(ASK):  # whoever is asking for a trial has not marked it as its own yet
        trials = study.get_trials(deepcopy=False)
        repeated = {trial.user_attrs.get(REPEATS) for trial in trials}
        running = (one for one in trials if one.state is TrialState.RUNNING and one.user_attrs.get(WORKER) not in known)
        lost = [one for one in running if one.user_attrs.get(WORKER) in dead or not _is_alive(store, one)]
        for trial in lost:
            if trial.number not in repeated:
                _repeat(study, trial)
            fail(study, trial, trial.user_attrs.get("reason", reason))
    return lost


def _is_alive(store: Store, trial: FrozenTrial) -> bool:
    """Whether the worker of a trial holds its lock; only while `ASK` is held."""
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        return False
    try:
        with (lock := worker_lock(store, worker)).acquire(timeout=0):
            lock.remove()
    except Timeout:
        return True
    return False


def worker_lock(store: Store, worker: str) -> Lock:
    """The lock that a worker holds while it lives."""
    return store.lock(f"worker-{worker}")


def end_runs(study: Study) -> None:
    """Ends the run of every finished trial as the trial ended, as its worker may have died in between."""
    # Runs whose worker died before the trial knew them; a training of the winner has a tag with the study's run.
    of_study = {run.id: run for run in tagged_runs("study", study.study_name)}
    running = [run for run in of_study.values() if run.status == "RUNNING" and "study.run" not in run.tags]
    unknown = {run.tags["trial"]: run.id for run in running if "trial" in run.tags}
    for trial in study.get_trials(deepcopy=False, states=FINISHED):
        run = of_study.get(trial.user_attrs.get("run") or unknown.get(str(trial.number), ""))
        if run and run.status != RUN_STATUS[trial.state]:
            set_terminated(run.id, RUN_STATUS[trial.state], trial.user_attrs.get("reason", ""))


def retry_failed(study: Study) -> None:
    """Queues the failed trials again."""
    for trial in finished_trials(study):
        if trial.state is TrialState.FAIL:
            _repeat(study, trial)


def _repeat(study: Study, trial: FrozenTrial) -> None:
    """Queues a trial again; with the parameters that it was to have where it was interrupted before it had them."""
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    study.enqueue_trial(params, user_attrs={REPEATS: trial.number})


def fail(study: Study, trial: FrozenTrial, reason: str) -> None:
    """Ends a trial and its run, whose process must be gone."""
    Trial(study, trial._trial_id).set_user_attr("reason", reason)
    study.tell(trial.number, state=TrialState.FAIL)
    if "run" in trial.user_attrs:
        set_terminated(trial.user_attrs["run"], RUN_STATUS[TrialState.FAIL], reason)
