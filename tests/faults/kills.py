"""Studies and trainings that are killed at random moments, and go on with the same command."""

import json
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import optuna
import psutil
from optuna.trial import TrialState

from library import Run, open_store
from library.framework.errors import UserError
from library.framework.registry.artifacts import verify
from library.framework.registry.queries import versions
from library.framework.tracking.queries import metric_history, read_run, running_runs
from library.framework.tracking.store import Store
from library.framework.training import checkpoints
from library.framework.tuning.search import existing_storage
from library.framework.tuning.trials import FINISHED, REPEATS, RUN_STATUS, finished_of
from tests import tiny
from tests.faults import Faults, Row
from tests.faults.programs import Program, processes

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TRIALS, EPOCHS, KILLS = 3, 4, 3
"""Of a study; of a training; at most of one command."""


class Curve(Run):
    """Keeps the validation loss by epoch."""

    def __init__(self) -> None:
        self.losses: dict[int, float] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.losses[step] = metrics["val/loss"]


@cache
def unbroken(**fields: Any) -> dict[int, float]:
    """The validation losses of a training that was not killed."""
    tiny.Tiny(**fields, epochs=EPOCHS).fit(curve := Curve())
    return curve.losses


def kills(faults: Faults) -> Iterator[Row]:
    """Kills a driver, a worker or all, and checks the whole history after each."""
    root, context, random = faults.folder / "store", processes("keras"), faults.random
    done, job, began, wanted = Counter[str](), 0, time.monotonic(), faults.count(1000)
    seen: dict[str, Any] = {}
    seconds = {"train-tiny": 4.0, "tune-tiny": 6.0}  # that they last
    while done.total() < wanted:
        job, before = job + 1, done.total()
        kind = random.choice(list(seconds))
        own = {"train-tiny": [f"--seed={job}"], "tune-tiny": [f"--name=s{job}", f"--workers={random.randint(1, 2)}"]}
        status, left, last = 1, random.randint(1, KILLS), "no kill"
        while status != 0:
            program = Program(context, faults.folder / "log", kind, *own[kind], f"--store={root}")
            started, was_killed = time.monotonic(), left > 0
            status = program.join(random.uniform(0, seconds[kind]) if was_killed else 120)
            if status is None:
                left, last = left - 1, f"{random.choice(SIGNALS).name} to {random.choice(['driver', 'worker', 'all'])}"
                done[last] += 1
                status = _kill(program, last)
            elif not was_killed:
                seconds[kind] = 0.8 * seconds[kind] + 0.2 * (time.monotonic() - started)
            where = f"{done.total()} ({kind} {job}, {last})"
            if "Traceback" in program.printed or (status and not was_killed):
                faults.add(where, f"exit status {status}: {program.printed[:3000]}")
                break
            with open_store(root) as store:
                for what in _damage(store, seen):
                    faults.add(where, what)
        with open_store(root) as store:
            try:
                for what in _differences(store, kind, job, program.printed):
                    faults.add(where, what)
            except (UserError, ValueError, IndexError) as error:  # of files or runs that are not as they should be
                faults.add(where, repr(error))
        if done.total() // 20 > before // 20:
            print(f"{done.total()} of {wanted} kills, {time.monotonic() - began:.0f} s, {faults.measured}", flush=True)
    counts = ", ".join(f"{count} {name}" for name, count in sorted(done.items()))
    must = "0 trials lost, repeated or changed; 0 RUNNING; 0 files half written; resumed = unbroken"
    yield f"{done.total()} kills ({counts}) of {job} studies and trainings", must, faults.measured


def _kill(program: Program, how: str) -> int | None:
    """Sends a signal, as in `SIGKILL to driver`; returns the exit status, after which no process is left."""
    name, _, which = how.split()
    driver, workers = psutil.Process(program.process.pid), program.workers
    targets = {"driver": [driver], "worker": workers[:1] or [driver], "all": [*workers, driver]}[which]
    for target in targets:
        with suppress(psutil.NoSuchProcess):
            target.send_signal(signal.Signals[name])
    return program.join(120)


def _damage(store: Store, seen: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a store in which nothing runs; `seen` are all trials that had finished before."""
    yield from (f"run {run} is RUNNING" for run in running_runs())
    yield from filter(None, map(checkpoints.check, store.checkpoints.glob("*")))
    storage, now = existing_storage(store), dict[str, Any]()
    for study in optuna.get_all_study_summaries(storage, include_best_trial=False) if storage else ():
        trials = storage.get_all_trials(study._study_id, deepcopy=False)
        for one in trials:
            if one.state in FINISHED:
                now[f"{study.study_name} trial {one.number}"] = one.state, one.values, one.params
        repeated = [one.user_attrs[REPEATS] for one in trials if REPEATS in one.user_attrs]
        if len(repeated) > len(set(repeated)):
            yield f"{study.study_name}: a trial is repeated twice: {repeated}"
    yield from (f"{one}: was {was}, is {now.get(one)}" for one, was in seen.items() if now.get(one) != was)
    seen |= now


def _differences(store: Store, kind: str, job: int, printed: str) -> Iterator[str]:
    """How a command that has ended, and has printed this, differs from one that was not killed."""
    if kind == "train-tiny":
        fitted = [(re.findall(r"^run (\w+)$", printed, re.MULTILINE)[-1], {"seed": job})]
    else:
        study = optuna.load_study(study_name=f"s{job}", storage=existing_storage(store))
        if len(trials := finished_of(study.trials)) != TRIALS:
            yield f"{len(trials)} of {TRIALS} trials are finished"
        fitted = [(one.user_attrs["run"], tiny.space(one)) for one in trials if one.state is TrialState.COMPLETE]
        for one in study.trials:
            if (run := one.user_attrs.get("run")) and read_run(run).status != RUN_STATUS[one.state]:
                yield f"trial {one.number} is {one.state.name}, its run {read_run(run).status}"
    for run, fields in fitted:
        if (losses := metric_history(run, "val/loss")) != unbroken(**fields):
            yield f"run {run} has {losses}, unbroken is {unbroken(**fields)}"
        for path in (store.local / "artifacts" / "tiny" / run).rglob("*.json"):
            json.loads(path.read_text())
    for version in versions():
        if version.tags.get("study", version.run_id) in (f"s{job}", fitted[0][0]):
            verify(version)
