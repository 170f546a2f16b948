"""Processes that work on one study: each asks for a trial, runs it, and asks for the next."""

import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import Any

from filelock import Timeout
from optuna.study import Study
from optuna.trial import Trial, TrialState

from ..environment import available_cores, start_keras
from ..errors import StoreError, StoreFailure, StudyDeleted, UnknownMetric, UserError
from .distinct import MAX_DRAWS, DistinctTrials
from .progress import Progress
from .samplers import make_sampler
from .search import Search, existing
from .trial_run import run_trial
from .trials import (
    ASK,
    DUPLICATE,
    WORKER,
    duplicates,
    end_runs,
    fail,
    finished_trials,
    recover_interrupted,
    worker_lock,
)

STORE_FAILED = 3
"""Exit code of a worker that could not read or write the store."""
STUDY_DELETED = 5
"""Exit code of a worker whose study was deleted."""
UNKNOWN_METRIC = 4
"""Exit code of a worker whose trial, which has the reason, lacks an objective or what its Trainer monitors."""

LOST_SECONDS = 5
"""How often the trials of others are looked at, whether their workers live."""
POLL_SECONDS = 1
"""How often a worker without a trial looks whether there is one."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def run_trials(search: Search, study: Study, parent: str) -> None:
    """Runs trials until the study has as many as were asked for, repeating those that were interrupted.

    Other processes may work on the study too, on any machine. It ends before, with a line that says so, where all
    configs of the space were tried or the time is over.
    StoreError where a worker could not read or write the store; UnknownMetric where a trial has no metric of an
    objective's name; StudyDeleted; UserError where a worker died before it began a trial.
    """
    deadline = time.monotonic() + 60 * search.options.timeout if search.options.timeout else math.inf
    before = -1
    with Progress(search) as progress:
        progress.show(finished_trials(study))
        while (missing := search.options.trials - (finished := len(finished_trials(study)))) > 0:
            if end := _end_before(search, study, deadline, stalled=finished == before):
                if study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):  # by others
                    time.sleep(POLL_SECONDS)
                    _report_lost(search, study, progress)
                    progress.show(finished_trials(study), duplicates(study))
                    continue
                progress.console.print(f"{end}; {missing} of {search.options.trials} trials are not run")
                break
            before = finished
            _run_workers(search, study, parent, missing, progress, deadline)


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


def _report_lost(search: Search, study: Study, progress: Progress) -> None:
    """Queues the trials of others that died again, with a line for each; of all that look, one at a time does."""
    with suppress(Timeout), search.store.lock(f"watch {study.study_name}").acquire(timeout=0):
        for trial in recover_interrupted(search.store, study, reason="its worker was lost"):
            node = trial.user_attrs.get("node", "another machine")
            progress.console.print(f"trial {trial.number}: its worker on {node} was lost; the trial is queued again")


def _run_workers(search: Search, study: Study, parent: str, missing: int, progress: Progress, deadline: float) -> None:
    """Starts workers, each of which runs trials until the study has enough, and waits for them."""
    context = multiprocessing.get_context("spawn")
    # What `Progress.show_running` takes of each worker; without a lock, which a worker that is killed would keep.
    nobody = [0, -1, 0, *(math.nan for _ in search.objectives)]
    rows = [context.RawArray("d", nobody) for _ in range(min(search.options.workers, missing))]
    workers: dict[str, tuple[BaseProcess, Any]] = {}
    started, looked, reason = set(), time.monotonic(), "interrupted"

    def start(row: Any) -> None:
        started.add(name := uuid.uuid4().hex)
        workers[name] = _start_worker(context, search, name, parent, deadline, row), row

    try:
        for row in rows:
            start(row)
        while workers:
            multiprocessing.connection.wait([one.sentinel for one, _ in workers.values()], timeout=0.5)
            for name, (worker, row) in [one for one in workers.items() if not one[1][0].is_alive()]:
                del workers[name]
                row[1] = -1
                if worker.exitcode:
                    _handle_dead_worker(study, name, worker)
                    start(row)
            if time.monotonic() > looked + LOST_SECONDS:
                _report_lost(search, study, progress)
                looked = time.monotonic()
            progress.show(finished_trials(study), duplicates(study))
            progress.show_running(rows)
    except UnknownMetric as error:
        reason = str(error)
        raise
    finally:
        for worker, _ in workers.values():
            worker.kill()
            worker.join()
        recover_interrupted(search.store, study, started, reason)
        end_runs(study)


def _start_worker(context: Any, search: Search, name: str, parent: str, deadline: float, row: Any) -> BaseProcess:
    num_threads = max(1, available_cores() // search.options.workers)
    sent = replace(search, base=type(search.base)(search.base.config))  # without the data that it has loaded
    worker: BaseProcess = context.Process(
        target=_work, args=(sent, name, parent, deadline, num_threads, row), daemon=True
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)  # until the worker ignores them, seconds later
    try:
        worker.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return worker


def _handle_dead_worker(study: Study, name: str, worker: BaseProcess) -> None:
    """Fails the trial of a worker that died; raises if it had none, as another would die the same way."""
    if worker.exitcode == STUDY_DELETED:
        raise KeyError(study.study_name)  # which `existing` turns into one line
    if worker.exitcode == STORE_FAILED:
        raise StoreFailure("store: a worker could not read or write it; start again once it is there, with space left")
    mine = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(WORKER) == name]
    if not mine:
        raise UserError(f"a worker died with exit code {worker.exitcode} before it began a trial; start again")
    if worker.exitcode == UNKNOWN_METRIC:
        raise UnknownMetric(mine[-1].user_attrs["reason"])
    for trial in mine:
        if trial.state is TrialState.RUNNING:  # else another process has queued it again already
            fail(study, trial, f"its process died with exit code {worker.exitcode}")


def _work(search: Search, name: str, parent: str, deadline: float, num_threads: int, row: Any) -> None:
    """A worker process: runs trials until the study has enough, or the deadline, after which none begins."""
    for interrupt in INTERRUPTS:  # these reach all processes at once; the driver ends its workers
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        with search.store, worker_lock(search.store, name) as alive:
            search.store.connect()
            study, experiment = search.study(), search.base
            distinct = DistinctTrials(search, study, name)
            while (trial := _next_trial(search, study, distinct, deadline)) is not None:
                start_keras(min(num_threads, search.base.num_threads or num_threads))  # slow, so not before
                experiment = run_trial(search, trial, parent, experiment, row)
            alive.remove()
    except StoreError:
        sys.exit(STORE_FAILED)
    except UnknownMetric:
        sys.exit(UNKNOWN_METRIC)
    except StudyDeleted:
        sys.exit(STUDY_DELETED)


def _next_trial(search: Search, study: Study, distinct: DistinctTrials, deadline: float) -> Trial | None:
    """A trial to run; waits while others run the last ones; None where the study has enough, or none can begin."""
    while time.monotonic() <= deadline:
        with existing(study), search.store.lock(ASK):
            trials = study.get_trials(deepcopy=False)
            finished, running = len(finished_trials(study)), [one for one in trials if one.state is TrialState.RUNNING]
            if finished >= search.options.trials:
                return None
            if finished + len(running) < search.options.trials:
                begun = sum(one.state is not TrialState.WAITING and DUPLICATE not in one.user_attrs for one in trials)
                parallel = search.options.workers > 1 or bool(running)
                study.sampler = make_sampler(search.sampler, search.base.config.seed, begun, parallel)
                return distinct.next()
        time.sleep(POLL_SECONDS)
    return None


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
