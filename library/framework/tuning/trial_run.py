"""One trial of a study, trained in a run of its own: reported epoch by epoch, pruned, and told to Optuna."""

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from ..environment import command, one_line
from ..errors import StoreError, UnknownMetric, UserError
from ..experiment import Experiment
from ..formatting import number
from ..pipeline import size_and_duration
from ..tracking.mlflow_run import MlflowRun, start_run
from ..tracking.training_run import start_training
from . import front
from .search import Search, existing
from .seeds import train_seeds
from .trials import RUN_STATUS, completed


def run_trial(search: Search, trial: Trial, parent: str, before: Experiment, row: Any) -> Experiment:
    """One trial, in a run that ends by Optuna's state, on the data of the trial before; returns its experiment."""
    study = trial.study
    try:
        experiment = search.experiment(trial, in_full=False).reuse(before)
    except UserError as error:
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=TrialState.FAIL)
        return before
    repeat = command("train", search.base.name, experiment.config.changed())
    tags = {"study": search.study_name, "trial": trial.number, "command": repeat}
    role = f"trial {parent}"  # so that it goes on from the trial that it repeats
    with _start(search, experiment, f"trial {trial.number:03d}", role, parent, tags) as run, existing(study):
        trial.set_user_attr("run", run.id)
        try:
            state, values, reason = _end_of(search, experiment, trial, run, role, row)
        except UnknownMetric as error:  # which the driver tells Optuna, as it ends all trials and the study
            trial.set_user_attr("reason", str(error))
            run.end("FAILED", str(error))
            raise
        finally:
            row[1] = -1
        try:
            if reason:
                trial.set_user_attr("reason", reason)
            study.tell(trial, values, state=state)
        except UpdateFinishedTrialError:  # late values change nothing
            state, reason = TrialState.FAIL, "its worker was taken for dead, and the trial was queued again"
        run.end(RUN_STATUS[state], reason)
    return experiment


def _start(
    search: Search, experiment: Experiment, name: str, role: str, parent: str, tags: Mapping[str, Any]
) -> AbstractContextManager[MlflowRun]:
    """The run of a trial; of several seeds it trains nothing itself."""
    if (seeds := search.options.seeds) > 1:
        tags = {**tags, "seeds": seeds}
        return start_run(search.store, experiment.name, name, parent=parent, config=experiment.config, tags=tags)
    return start_training(search.store, experiment, name, role=role, parent=parent, resumes_run=False, tags=tags)


def _end_of(
    search: Search, experiment: Experiment, trial: Trial, run: MlflowRun, role: str, row: Any
) -> tuple[TrialState, list[float] | None, str]:
    """How the trial ended, with its values or the reason; only what ends the study is raised."""
    try:
        with search.store:
            metrics = _train(search, experiment, trial, run, role, row)
    except optuna.TrialPruned as pruned:
        return TrialState.PRUNED, None, str(pruned)
    except (StoreError, UnknownMetric):
        raise
    except Exception as error:
        return TrialState.FAIL, None, one_line(error)
    for name in (*search.objectives, *experiment.constraints):
        if not math.isfinite(metrics.get(name, math.nan)):
            return TrialState.FAIL, None, f"{name} is {metrics.get(name, 'missing')}"
    for name, most in experiment.constraints.items():
        trial.set_constraint(name, metrics[name] - most)
    beyond = {name: most for name, most in experiment.constraints.items() if metrics[name] > most}
    reason = "; ".join(f"{name} is {number(metrics[name])}, beyond {number(most)}" for name, most in beyond.items())
    return TrialState.COMPLETE, [metrics[name] for name in search.objectives], reason


def _train(
    search: Search, experiment: Experiment, trial: Trial, run: MlflowRun, role: str, row: Any
) -> Mapping[str, float]:
    """The metrics of a trial's training; of several seeds, the means."""
    import keras

    from ..training.callbacks import check_known

    def fit(one: Experiment, of_one: MlflowRun) -> Mapping[str, float]:
        keras.utils.clear_session()
        start = time.perf_counter()
        result = one.fit(of_one, [_reporting(trial, search, one, row)])
        metrics = {**result.metrics, **one.config_metrics, **size_and_duration(result, start)}
        if not completed(trial.study.get_trials(deepcopy=False)):
            check_known("objective", search.objectives, metrics)
            check_known("constraint", experiment.constraints, metrics)
        return metrics

    if search.options.seeds == 1:
        return fit(experiment, run)
    return train_seeds(search, experiment, trial, run, role, fit)


def _reporting(trial: Trial, search: Search, experiment: Experiment, row: Any) -> Any:
    """The callback that tells the driver of each epoch, and prunes the trial."""
    from ..training.callbacks import EpochCallback, check_objectives

    objectives, known = search.objectives, experiment.config_metrics
    [objective, *others] = objectives

    def tell(epoch: int, metrics: Mapping[str, float]) -> None:
        epochs = getattr(experiment.config, "epochs", 0)
        row[:] = [trial.number, epoch, epochs, *(metrics.get(name, math.nan) for name in objectives)]

    def report(epoch: int, metrics: Mapping[str, float]) -> bool:
        tell(epoch, metrics := {**known, **metrics})
        if search.options.seeds > 1:  # which are compared, not epochs
            return False
        is_complete = all(name in metrics for name in objectives)
        if is_complete and others:
            front.report(trial, metrics, objectives)
        elif is_complete:
            trial.report(metrics[objective], epoch)
        return is_complete

    def prune(epoch: int, metrics: Mapping[str, float]) -> None:
        check_objectives(objectives, {**known, **metrics})
        if not report(epoch, metrics):
            return
        if not others and trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {epoch} by {type(trial.study.pruner).__name__}")
        may_prune = search.pruner == "front" and epoch > search.base.prune_after
        if may_prune and front.is_dominated(trial.study, trial, objectives):
            raise optuna.TrialPruned(f"pruned after epoch {epoch}: the Pareto front of the others was better")

    tell(0, known)
    # An epoch before the kill is reported only: it was decided then that the trial was not to be pruned.
    return EpochCallback(prune, earlier=report)
