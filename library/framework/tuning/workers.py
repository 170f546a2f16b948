"""Processes that work on one study: each asks for a trial, runs it, and asks for the next."""

import math
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from filelock import Timeout
from optuna.study import Study
from optuna.trial import Trial, TrialState

from ..engines import Engine, Exit, LocalEngine
from ..environment import start_keras
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
    end_runs,
    fail,
    finished_of,
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
ROOM_SECONDS = 30
"""How long no node may have room for any worker until that is said."""


def run_trials(search: Search, study: Study, parent: str, engine: Engine | None = None) -> None:
    """Runs trials until the study has as many as were asked for, repeating those that were interrupted.

    Other processes may work on the study too, on any machine. It ends before, with a line that says so, where all
    configs of the space were tried or the time is over.

    Args:
        search: what for.
        study: of the search.
        parent: id of the study's run.
        engine: starts the workers, and is closed in the end; processes of this machine unless given.

    Raises:
        StoreError: a worker could not read or write the store.
        UnknownMetric: a trial has no metric of an objective's name.
        StudyDeleted: the study was deleted.
        UserError: a worker died before it began a trial, or the engine's cluster was lost.
    """
    deadline = time.time() + 60 * search.options.timeout if search.options.timeout else math.inf  # of all machines
    before = -1
    with (
        Progress(search) as progress,
        engine or LocalEngine(search.options.workers, len(search.objectives)) as running,
    ):
        progress.show(study.get_trials(deepcopy=False))
        while (missing := search.num_trials(study) - (finished := len(finished_trials(study)))) > 0:
            progress.aim_at(finished + missing)
            if end := _end_before(search, study, deadline, stalled=finished == before):
                if study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):  # by others
                    time.sleep(POLL_SECONDS)
                    _watch(search, study, progress, running)
                    progress.show(study.get_trials(deepcopy=False))
                    continue
                progress.console.print(f"{end}; {missing} of {finished + missing} trials are not run")
                break
            before = finished
            _run_workers(search, study, parent, missing, progress, deadline, running)


def _end_before(search: Search, study: Study, deadline: float, *, stalled: bool) -> str:
    """Why no trial begins any more, though some are missing; empty if one can."""
    if time.time() > deadline:
        return f"the {search.options.timeout:g} minutes are over"
    if study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
        return ""
    distinct = DistinctTrials(search, study)
    if distinct.untried() is None:
        return f"all {len(distinct.tried())} configs of the space were tried"
    return f"{MAX_DRAWS} draws gave no config that was not tried" if stalled else ""


def _watch(search: Search, study: Study, progress: Progress, engine: Engine) -> None:
    """Queues the trials of workers that died anywhere again; of all processes that look, one at a time does."""
    with suppress(Timeout), search.store.lock(f"watch {study.study_name}").acquire(timeout=0):
        _report_lost(search, study, progress, engine)


def _report_lost(
    search: Search, study: Study, progress: Progress, engine: Engine, dead: Collection[str] = (), reason: str = ""
) -> None:
    """Queues the trials of others that died, and of workers that are known to be dead, again, with a line for each."""
    for trial in recover_interrupted(search.store, study, dead, reason or "its worker was lost", engine.workers):
        node = engine.nodes.get(trial.user_attrs.get(WORKER, ""), trial.user_attrs.get("node", "another machine"))
        why = reason or f"its worker on {node} was lost"
        progress.console.print(f"trial {trial.number}: {why}; the trial is queued again")


def _run_workers(
    search: Search, study: Study, parent: str, missing: int, progress: Progress, deadline: float, engine: Engine
) -> None:
    """Starts workers, each of which runs trials until the study has enough, and waits for them."""
    sent = replace(search, base=type(search.base)(search.base.config))  # without the data that it has loaded
    started, began, looked, reason = set[str](), time.monotonic(), time.monotonic(), "interrupted"
    has_enough = is_said = False

    def start() -> None:
        started.add(name := uuid.uuid4().hex)
        engine.start(name, partial(_work, sent, name, parent, deadline, engine.num_threads))

    try:
        for _ in range(min(search.options.workers, missing)):
            start()
        while engine.workers and not (has_enough and set(engine.waiting) == set(engine.workers)):
            for name, end in (ended := engine.wait()).items():
                has_enough |= not end.code
                if end.is_lost:
                    _report_lost(search, study, progress, engine, {name}, end.reason)
                elif end.code:
                    _handle_dead_worker(study, name, end)
                if end.code and not has_enough:
                    start()
            if time.monotonic() > looked + LOST_SECONDS:
                _watch(search, study, progress, engine)
                looked = time.monotonic()
            if not is_said and time.monotonic() > began + ROOM_SECONDS and set(engine.waiting) == started:
                progress.console.print("no node of the cluster has room for a worker yet; waiting for one")
                is_said = True
            if progress.show_when_due(study, at_once=bool(ended)):
                search.store.release_connections()
            progress.show_running(engine.rows, engine.nodes)
    except UnknownMetric as error:
        reason = str(error)
        raise
    finally:
        engine.kill()
        recover_interrupted(search.store, study, started, reason)
        end_runs(study)


def _handle_dead_worker(study: Study, name: str, end: Exit) -> None:
    """Fails the trial of a worker that died; raises if it had none, as another would die the same way."""
    if end.code == STUDY_DELETED:
        raise KeyError(study.study_name)  # which `existing` turns into one line
    if end.code == STORE_FAILED:
        raise StoreFailure(end.message)
    mine = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(WORKER) == name]
    if not mine:
        raise UserError(f"a worker ended before it began a trial: {end.reason}; start again")
    if end.code == UNKNOWN_METRIC:
        raise UnknownMetric(mine[-1].user_attrs["reason"])
    for trial in mine:
        if trial.state is TrialState.RUNNING:  # else another process has queued it again already
            fail(study, trial, end.reason)


def _work(search: Search, name: str, parent: str, deadline: float, num_threads: int, row: Any) -> tuple[int, str]:
    """A worker: runs trials until the study has enough, or the deadline, after which none begins."""
    try:
        with search.store, worker_lock(search.store, name) as alive:
            search.store.connect()
            study, experiment = search.study(), search.base
            distinct = DistinctTrials(search, study, name)
            while (trial := _next_trial(search, study, distinct, deadline)) is not None:
                start_keras(min(num_threads, search.base.num_threads or num_threads))  # slow, so not before
                experiment = run_trial(search, trial, parent, experiment, row)
            alive.remove()
    except StoreError as error:
        return STORE_FAILED, str(error)
    except UnknownMetric as error:
        return UNKNOWN_METRIC, str(error)
    except StudyDeleted as error:
        return STUDY_DELETED, str(error)
    return 0, ""


def _next_trial(search: Search, study: Study, distinct: DistinctTrials, deadline: float) -> Trial | None:
    """A trial to run; waits while others run the last ones; None where the study has enough, or none can begin."""
    while time.time() <= deadline:
        with existing(study), search.store.lock(ASK):
            wanted, trials = search.num_trials(study), study.get_trials(deepcopy=False)
            finished, running = len(finished_of(trials)), [one for one in trials if one.state is TrialState.RUNNING]
            if finished >= wanted:
                return None
            if finished + len(running) < wanted:
                begun = sum(one.state is not TrialState.WAITING and DUPLICATE not in one.user_attrs for one in trials)
                parallel = search.options.workers > 1 or bool(running)
                study.sampler = make_sampler(search.sampler, search.base.config.seed, begun, parallel)
                return distinct.next()
        time.sleep(POLL_SECONDS)
    return None
