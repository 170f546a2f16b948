"""Processes that work on one study: each takes a token, runs a trial, and takes the next."""

import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState

from .. import environment
from ..config import Config
from ..environment import available_cores, start_keras
from ..errors import StoreError, UserError
from ..objectives import Objectives
from ..run import Callbacks
from ..tracking import mlflow_run, store
from .progress import Progress
from .search import Search
from .trials import RUN_STATUS, counted, fail, mend

STORE_FAILED = 3
"""Exit code of a worker that could not read or write the store."""

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def run_trials(search: Search, study: Study, parent: str) -> None:
    """Runs trials until the study has as many as were asked for, those that were interrupted once more.

    Raises:
        StoreError: a worker could not read or write the store.
        UserError: a worker died before it began a trial.
    """
    with Progress(search.options.trials, search.experiment) as progress:
        progress.show(counted(study))
        while (missing := search.options.trials - len(counted(study))) > 0:
            try:
                _work_off(search, study, parent, missing, lambda: progress.show(counted(study)))
            finally:
                mend(study)


def _work_off(search: Search, study: Study, parent: str, missing: int, show: Callable[[], None]) -> None:
    """Hands out a token for each missing trial and waits for the workers."""
    context = multiprocessing.get_context("spawn")
    tokens = context.Queue()
    begun = sum(trial.state is not TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    for token in range(begun, begun + missing):
        tokens.put(token)
    workers: list[BaseProcess] = []
    try:
        for _ in range(min(search.options.workers, missing)):
            workers.append(_start_worker(context, search, parent, tokens))  # noqa: PERF401 -- an interrupt must find it
        while workers:
            multiprocessing.connection.wait([worker.sentinel for worker in workers], timeout=0.5)
            for worker in [worker for worker in workers if not worker.is_alive()]:
                workers.remove(worker)
                if worker.exitcode:
                    _bury(study, worker)
                    workers.append(_start_worker(context, search, parent, tokens))
            show()
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _start_worker(context: Any, search: Search, parent: str, tokens: Any) -> BaseProcess:
    """A worker, and a last token for it to find."""
    tokens.put(None)
    cores = max(1, available_cores() // search.options.workers)
    worker: BaseProcess = context.Process(target=_work, args=(search, parent, tokens, cores), daemon=True)
    with _held_back(INTERRUPTS):  # until the worker ignores them, seconds later
        worker.start()
    return worker


@contextmanager
def _held_back(signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _bury(study: Study, worker: BaseProcess) -> None:
    """Fails the trial of a worker that died; raises if it had none, as another would fare no better."""
    if worker.exitcode == STORE_FAILED:
        raise StoreError(
            "store: a worker could not read or write it; give STORE=folder with space left, and start again"
        )
    running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    mine = [trial for trial in running if trial.user_attrs.get("pid") == worker.pid]
    if not mine:
        raise UserError(f"a worker died with exit code {worker.exitcode} before it began a trial; start again")
    for trial in mine:
        fail(study, trial, f"its process died with exit code {worker.exitcode}")


def _work(search: Search, parent: str, tokens: Any, cores: int) -> None:
    """A worker process: a trial for each token."""
    for interrupt in INTERRUPTS:  # these reach all processes at once; the driver ends its workers
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        with store.store_errors(search.store):
            search.store.connect()
            start_keras(min(cores, search.experiment.cores(search.base) or cores))
            study = search.study()
            while (token := tokens.get()) is not None:
                study.sampler = _sampler(search, token)
                _run_trial(search, study, parent)
    except StoreError:
        sys.exit(STORE_FAILED)


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _sampler(search: Search, token: int) -> optuna.samplers.BaseSampler:
    """TPE, seeded anew for every token: a study that goes on must not draw again what it drew at first."""
    seed = int(np.random.SeedSequence([search.base.seed, token]).generate_state(1)[0])
    several = search.options.workers > 1
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=6, multivariate=True, constant_liar=several)


def _run_trial(search: Search, study: Study, parent: str) -> None:
    """One trial, in a run of its own; Optuna's state is told first, and the run ends by it."""
    import keras

    keras.utils.clear_session()
    with search.store.lock("ask"):  # SQLite would hand two workers the same waiting trial
        trial = study.ask()
        trial.set_user_attr("pid", os.getpid())
    try:
        config = search.config(trial, in_full=False)
    except UserError as error:
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=TrialState.FAIL)
        return
    name = f"trial {trial.number:03d}"
    repeat = environment.command("train", search.name, config.model_dump())
    tags = {"study": search.study_name, "trial": trial.number, "command": repeat}
    with mlflow_run.start_run(search.store, search.name, name, parent=parent, config=config, tags=tags) as run:
        trial.set_user_attr("run", run.id)
        state, values, reason = _train(search, config, trial, run)
        if reason:
            trial.set_user_attr("reason", reason)
        study.tell(trial, values, state=state)
        run.end(RUN_STATUS[state], reason)


def _train(
    search: Search, config: Config, trial: Trial, run: mlflow_run.MlflowRun
) -> tuple[TrialState, list[float] | None, str]:
    """How the trial ended, with what values or for what reason; only the store's own failures are raised."""
    objectives = search.experiment.objectives
    try:
        with store.store_errors(search.store):
            metrics = search.experiment.train(config, run, _reporters(trial, objectives)).metrics
    except optuna.TrialPruned as pruned:
        return TrialState.PRUNED, None, str(pruned)
    except StoreError:
        raise
    except Exception as error:
        return TrialState.FAIL, None, environment.one_line(error)
    for name in objectives:
        if not math.isfinite(metrics.get(name, math.nan)):
            return TrialState.FAIL, None, f"{name} is {metrics.get(name, 'missing')}"
    return TrialState.COMPLETE, [metrics[name] for name in objectives], ""


def _reporters(trial: Trial, objectives: Objectives) -> Callbacks:
    """What lets a trial be pruned: nothing with several objectives, for which Optuna cannot."""
    [objective, *others] = objectives

    def report(epoch: int, metrics: Mapping[str, float]) -> None:
        trial.report(metrics[objective], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {epoch}: {objective} was worse than the others' median")

    return [] if others else [report]
