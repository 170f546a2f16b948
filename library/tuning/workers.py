"""Processes that work on one study: each takes a token, runs a trial, and takes the next."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState

from library import tracking
from library.compute import available_cores, start_keras
from library.experiment import Callback
from library.tuning.display import Progress
from library.tuning.search import Search
from library.tuning.trials import counted, fail


def run_trials(search: Search, study: Study, parent: str) -> None:
    """Hands out a token for each missing trial and waits for the workers."""
    missing = search.options.trials - len(counted(study))
    if missing <= 0:
        return
    context = multiprocessing.get_context("spawn")
    tokens = context.Queue()
    begun = len(study.get_trials(deepcopy=False))
    start = partial(_start_worker, context, search, parent, tokens)
    workers = [start() for _ in range(min(search.options.workers, missing))]
    for token in [*range(begun, begun + missing), *[None] * len(workers)]:
        tokens.put(token)
    try:
        with Progress(search.options.trials, search.experiment.objective, search.experiment.direction) as progress:
            while workers:
                multiprocessing.connection.wait([worker.sentinel for worker in workers], timeout=0.5)
                workers = [_replaced(study, worker, start) for worker in workers if worker.exitcode != 0]
                progress.show(counted(study))
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _start_worker(context: Any, search: Search, parent: str, tokens: Any) -> BaseProcess:
    cores = max(1, available_cores() // search.options.workers)
    worker: BaseProcess = context.Process(target=_work, args=(search, parent, tokens, cores))
    worker.start()
    return worker


def _replaced(study: Study, worker: BaseProcess, start: Callable[[], BaseProcess]) -> BaseProcess:
    """The worker itself, or another if it died; what it worked on has failed."""
    if worker.exitcode is None:
        return worker
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        if trial.user_attrs.get("pid") == worker.pid:
            fail(study, trial, f"its process died with exit code {worker.exitcode}")
    return start()


def _work(search: Search, parent: str, tokens: Any, cores: int) -> None:
    """A worker process: a trial for each token."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends its workers
    threading.Thread(target=_die_with_parent, daemon=True).start()
    start_keras(min(cores, search.experiment.cores or cores))
    search.store.connect()
    study = search.study()
    while (token := tokens.get()) is not None:
        study.sampler = optuna.samplers.TPESampler(
            seed=_seed(search.base.seed, token),
            n_startup_trials=6,
            multivariate=True,
            constant_liar=search.options.workers > 1,
        )
        study.optimize(partial(_objective, search, parent), n_trials=1, catch=(Exception,))


def _seed(seed: int, token: int) -> int:
    """Another for every token: a study that goes on must not draw again what it drew at first."""
    return int(np.random.SeedSequence([seed, token]).generate_state(1)[0])


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _objective(search: Search, parent: str, trial: Trial) -> float:
    """Trains a trial's config in a run of its own, whose end tells the trial's."""
    import keras

    keras.utils.clear_session()
    trial.set_user_attr("pid", os.getpid())
    try:
        config = search.config(trial, in_full=False)
        name = f"{search.study_name} trial {trial.number:03d}"
        tags = {
            "study": search.study_name,
            "trial": trial.number,
            "command": tracking.command("train", search.name, config.model_dump()),
        }
        with tracking.start_run(search.store, search.name, name, parent=parent, config=config, tags=tags) as run:
            trial.set_user_attr("run", run.id)
            try:
                result = search.experiment.train(config, run, [_reporter(trial, search.experiment.objective)])
            except optuna.TrialPruned as pruned:
                run.end("KILLED", str(pruned))
                raise
            return result.metrics[search.experiment.objective]
    except optuna.TrialPruned:
        raise
    except Exception as error:
        trial.set_user_attr("reason", tracking.one_line(error))
        raise


def _reporter(trial: Trial, objective: str) -> Callback:
    def report(epoch: int, metrics: Mapping[str, float]) -> None:
        trial.report(metrics[objective], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {epoch}: {objective} was below the others' median")

    return report
