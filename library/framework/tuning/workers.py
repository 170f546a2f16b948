"""Processes that work on one study: each takes a token, runs a trial, and takes the next."""

import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState

from ..environment import available_cores, command, one_line, option, start_keras
from ..errors import StoreError, StudyDeleted, UnknownMetric, UserError
from ..experiment import Experiment
from ..objectives import Objectives
from ..tracking.mlflow_run import MlflowRun
from ..tracking.training_run import start_training
from .distinct import MAX_DRAWS, DistinctTrials
from .progress import Progress
from .samplers import make_sampler
from .search import Search, existing
from .trials import DUPLICATE, RUN_STATUS, completed, duplicates, fail, finished_trials, recover_interrupted

STORE_FAILED = 3
"""Exit code of a worker that could not read or write the store."""
STUDY_DELETED = 5
"""Exit code of a worker whose study was deleted."""
UNKNOWN_METRIC = 4
"""Exit code of a worker whose trial, which has the reason, lacks an objective or what its Trainer monitors."""

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def run_trials(search: Search, study: Study, parent: str) -> None:
    """Runs trials until the study has as many as were asked for, repeating those that were interrupted.

    It ends before, with a line that says so, where all configs of the space were tried or the time is over.
    StoreError where a worker could not read or write the store; UnknownMetric where a trial has no metric of an
    objective's name; StudyDeleted; UserError where a worker died before it began a trial.
    """
    deadline = time.monotonic() + 60 * search.options.timeout if search.options.timeout else math.inf
    before = -1
    with Progress(search) as progress:
        progress.show(finished_trials(study))
        while (missing := search.options.trials - (finished := len(finished_trials(study)))) > 0:
            if end := _end_before(search, study, deadline, stalled=finished == before):
                progress.console.print(f"{end}; {missing} of {search.options.trials} trials are not run")
                break
            before, reason = finished, "interrupted"
            try:
                _run_workers(search, study, parent, missing, progress, deadline)
            except UnknownMetric as error:
                reason = str(error)
                raise
            finally:
                recover_interrupted(study, reason)


def _end_before(search: Search, study: Study, deadline: float, *, stalled: bool) -> str:
    """Why no trial begins any more, though some are missing; empty if one can."""
    if time.monotonic() > deadline:
        return f"the {search.options.timeout:g} minutes are over"
    if study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
        return ""
    distinct = DistinctTrials(search, study)
    if distinct.untried() is None:
        return f"all {len(distinct.tried())} configs of the space were tried"
    return f"{MAX_DRAWS} draws gave no config that was not tried" if stalled else ""


def _run_workers(search: Search, study: Study, parent: str, missing: int, progress: Progress, deadline: float) -> None:
    """Hands out a token for each missing trial and waits for the workers."""
    context = multiprocessing.get_context("spawn")
    tokens = context.Queue()
    trials = study.get_trials(deepcopy=False)
    begun = sum(trial.state is not TrialState.WAITING and DUPLICATE not in trial.user_attrs for trial in trials)
    for token in range(begun, begun + missing):
        tokens.put(token)
    # What `Progress.show_running` takes of each worker; without a lock, which a worker that is killed would keep.
    nobody = [0, -1, 0, *(math.nan for _ in search.objectives)]
    rows = [context.RawArray("d", nobody) for _ in range(min(search.options.workers, missing))]
    workers: dict[int, BaseProcess] = {}
    start = partial(_start_worker, context, search, parent, tokens, deadline)
    try:
        for place, row in enumerate(rows):
            workers[place] = start(row)
        while workers:
            multiprocessing.connection.wait([worker.sentinel for worker in workers.values()], timeout=0.5)
            for place, worker in [(place, worker) for place, worker in workers.items() if not worker.is_alive()]:
                del workers[place]
                rows[place][1] = -1
                if worker.exitcode:
                    _handle_dead_worker(study, worker)
                    workers[place] = start(rows[place])
            progress.show(finished_trials(study), duplicates(study))
            progress.show_running(rows)
    finally:
        tokens.cancel_join_thread()  # those that nobody took must not keep this process from its end
        for worker in workers.values():
            worker.kill()
            worker.join()


def _start_worker(context: Any, search: Search, parent: str, tokens: Any, deadline: float, row: Any) -> BaseProcess:
    """A worker, and a last token for it to find."""
    tokens.put(None)
    num_threads = max(1, available_cores() // search.options.workers)
    sent = replace(search, base=type(search.base)(search.base.config))  # without the data that it has loaded
    worker: BaseProcess = context.Process(
        target=_work, args=(sent, parent, tokens, deadline, num_threads, row), daemon=True
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)  # until the worker ignores them, seconds later
    try:
        worker.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return worker


def _handle_dead_worker(study: Study, worker: BaseProcess) -> None:
    """Fails the trial of a worker that died; raises if it had none, as another would die the same way."""
    if worker.exitcode == STUDY_DELETED:
        raise KeyError(study.study_name)  # which `existing` turns into one line
    if worker.exitcode == STORE_FAILED:
        give = f"give {option(store='folder')} with space left, and start again"
        raise StoreError(f"store: a worker could not read or write it; {give}")
    running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    mine = [trial for trial in running if trial.user_attrs.get("pid") == worker.pid]
    if worker.exitcode == UNKNOWN_METRIC:
        raise UnknownMetric(mine[0].user_attrs["reason"])
    if not mine:
        raise UserError(f"a worker died with exit code {worker.exitcode} before it began a trial; start again")
    for trial in mine:
        fail(study, trial, f"its process died with exit code {worker.exitcode}")


def _work(search: Search, parent: str, tokens: Any, deadline: float, num_threads: int, row: Any) -> None:
    """A worker process: a trial for each token, of which none begins after the deadline."""
    for interrupt in INTERRUPTS:  # these reach all processes at once; the driver ends its workers
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        with search.store:
            search.store.connect()
            study, experiment = search.study(), search.base
            distinct, parallel = DistinctTrials(search, study), search.options.workers > 1
            while (token := tokens.get()) is not None and time.monotonic() <= deadline:
                study.sampler = make_sampler(search.sampler, search.base.config.seed, token, parallel)
                with existing(study):
                    with search.store.lock("ask"):  # or two would have one waiting trial, or one config
                        trial = distinct.next()
                    if trial is None:
                        break
                    start_keras(min(num_threads, search.base.num_threads or num_threads))  # slow, so not before
                    experiment = _run_trial(search, trial, parent, experiment, row)
    except StoreError:
        sys.exit(STORE_FAILED)
    except UnknownMetric:
        sys.exit(UNKNOWN_METRIC)
    except StudyDeleted:
        sys.exit(STUDY_DELETED)


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _run_trial(search: Search, trial: Trial, parent: str, before: Experiment, row: Any) -> Experiment:
    """One trial, in a run that ends by Optuna's state, on the data of the trial before; returns its experiment."""
    import keras

    keras.utils.clear_session()
    study = trial.study
    try:
        experiment = search.experiment(trial, in_full=False).reuse(before)
    except UserError as error:
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=TrialState.FAIL)
        return before
    repeat, number = command("train", search.base.name, experiment.config.changed()), trial.number
    name, role = f"trial {number:03d}", f"trial {parent}"  # so that it goes on from the trial that it repeats
    tags = {"study": search.study_name, "trial": number, "command": repeat}
    started = start_training(search.store, experiment, name, role=role, parent=parent, resumes_run=False, tags=tags)
    with started as run, existing(study):
        trial.set_user_attr("run", run.id)
        try:
            state, values, reason = _fit(search, experiment, trial, run, row)
        except UnknownMetric as error:  # which the driver tells Optuna, as it ends all trials and the study
            trial.set_user_attr("reason", str(error))
            run.end("FAILED", str(error))
            raise
        finally:
            row[1] = -1
        if reason:
            trial.set_user_attr("reason", reason)
        study.tell(trial, values, state=state)
        run.end(RUN_STATUS[state], reason)
    return experiment


def _fit(
    search: Search, experiment: Experiment, trial: Trial, run: MlflowRun, row: Any
) -> tuple[TrialState, list[float] | None, str]:
    """How the trial ended, with its values or the reason; only what ends the study is raised."""
    from ..training.callbacks import check_known

    try:
        with search.store:
            metrics = experiment.fit(run, [_reporting(trial, search.objectives, experiment, row)]).metrics
            if not completed(trial.study.get_trials(deepcopy=False)):
                check_known("objective", search.objectives, metrics)
    except optuna.TrialPruned as pruned:
        return TrialState.PRUNED, None, str(pruned)
    except (StoreError, UnknownMetric):
        raise
    except Exception as error:
        return TrialState.FAIL, None, one_line(error)
    for name in search.objectives:
        if not math.isfinite(metrics.get(name, math.nan)):
            return TrialState.FAIL, None, f"{name} is {metrics.get(name, 'missing')}"
    return TrialState.COMPLETE, [metrics[name] for name in search.objectives], ""


def _reporting(trial: Trial, objectives: Objectives, experiment: Experiment, row: Any) -> Any:
    """The callback that tells the driver of each epoch, and prunes a trial that has a single objective."""
    from ..training.callbacks import EpochCallback, check_objectives

    [objective, *others] = objectives

    def tell(epoch: int, metrics: Mapping[str, float]) -> None:
        epochs = getattr(experiment.config, "epochs", 0)
        row[:] = [trial.number, epoch, epochs, *(metrics.get(name, math.nan) for name in objectives)]

    def report(epoch: int, metrics: Mapping[str, float]) -> None:
        tell(epoch, metrics)
        if objective in metrics and not others:  # Optuna prunes by a single score
            trial.report(metrics[objective], epoch)

    def prune(epoch: int, metrics: Mapping[str, float]) -> None:
        check_objectives(objectives, metrics)
        report(epoch, metrics)
        if objective in metrics and not others and trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {epoch} by {type(trial.study.pruner).__name__}")

    tell(0, {})
    # An epoch before the kill is reported only: it was decided then that the trial was not to be pruned.
    return EpochCallback(prune, earlier=report)
