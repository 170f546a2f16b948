"""Studies whose trials train nothing, by many workers, by joiners, and while servers are restarted."""

import multiprocessing
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import Any

from optuna.study import Study
from optuna.trial import BaseTrial

from library import Run, TrainingResult, open_store
from library.framework.options import StudyOptions
from library.framework.run import Callbacks
from library.framework.tracking.queries import all_runs
from library.framework.tracking.store import Store
from library.framework.tuning import study as studies
from library.framework.tuning.attributes import keep
from library.framework.tuning.search import Search
from library.framework.tuning.study import join, tune
from library.framework.tuning.trials import completed, finished_of
from tests.faults import Faults, Row
from tests.faults.programs import processes
from tests.mlflow_server import MlflowServer
from tests.postgres import Postgres
from tests.tiny import Tiny

WORKERS, TRIALS, JOINERS = 8, 1000, 16
SLEEP = 20
"""Seconds."""


class Instant(Tiny):
    """The tiny experiment, of which a trial trains nothing: what it lasts is what the framework takes."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        if self.config.epochs > 1:
            return super().fit(run, callbacks)
        metrics = {"train/loss": 1.0, "val/loss": abs(self.config.data_seed - 5e5)}
        run.log_metrics(metrics, 1)
        return TrainingResult(_untrained(), metrics, 1)


@cache
def _untrained() -> Any:
    """A network, made once by each process."""
    import keras

    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def space(trial: BaseTrial) -> Mapping[str, Any]:
    """Enough configs for all trials to differ."""
    return {"seed": trial.suggest_int("seed", 0, 10**6)}


def trials(faults: Faults) -> Iterator[Row]:
    """A study whose trials train nothing, by as many workers as the machine has no cores for."""
    count = max(WORKERS, faults.count(TRIALS))
    with open_store(faults.folder / "store") as store:
        options = StudyOptions(trials=count, workers=WORKERS, study="load", sampler="random")
        study = tune(Search(Instant(), space, (), options, store)).study
    what = f"{WORKERS} workers x {count} trials that train nothing, in a folder"
    yield what, "0 errors, no lock errors, < 0.5 s a trial", _measured(faults, study, WORKERS)


def joiners(faults: Faults) -> Iterator[Row]:
    """A study in a database whose trials train nothing, by a command and by others that join it."""
    count = max(2 * JOINERS, faults.count(TRIALS))
    context, said = processes("keras"), multiprocessing.get_context("forkserver").Queue()
    with closing(Postgres()) as server:
        address = server.create("runs"), str(faults.folder / "artifacts")
        with open_store(address[0], artifacts=address[1]) as store:
            options = StudyOptions(trials=1, workers=1, study="load", sampler="random")
            search = Search(Instant(), space, (), options, store)
            study = tune(search).study
            keep(study, "search", replace(search, options=options.model_copy(update={"trials": count})).as_json())
            running = [context.Process(target=_join, args=(address, said)) for _ in range(JOINERS)]
            for process in running:
                process.start()
            for error in filter(None, [said.get() for _ in running]):
                faults.add("of a joiner", error)
            for run in all_runs():
                if run.status != "FINISHED":
                    faults.add(f"run {run.id}", run.status)
            what = f"{JOINERS} joiners x {count} trials that train nothing, on PostgreSQL"
            yield what, "0 errors, <= 0.5 s a trial", _measured(faults, study, JOINERS)


class Sleeping(Instant):
    """The tiny experiment, of which a trial lasts as a training on another machine would, and costs nothing here."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        time.sleep(SLEEP if self.config.epochs == 1 else 0)
        return super().fit(run, callbacks)


def speed_up(faults: Faults) -> Iterator[Row]:
    """Studies in a database by more and more workers; machines of their own would start these at once."""
    each, alone = max(2, faults.count(6)), 0.0
    with closing(Postgres()) as server:
        for workers in (1, 2, 4, 8):
            began = time.time()
            with open_store(server.create(f"runs{workers}"), artifacts=str(faults.folder / "artifacts")) as store:
                options = StudyOptions(trials=each * workers, workers=workers, study="load", sampler="random")
                study = tune(Search(Sleeping(), space, (), options, store)).study
            times = [(one.datetime_start, one.datetime_complete) for one in completed(study.trials)]
            starts, ends = (sorted(one.timestamp() for one in of if one) for of in zip(*times, strict=True))
            seconds = _seconds_a_trial(ends, workers)
            alone = alone or seconds
            measured = f"{alone / seconds:.2f} times as fast as 1, {alone / seconds / workers:.2f} of linear; "
            measured += f"{seconds * workers - SLEEP:.2f} s a trial besides its {SLEEP}; "
            measured += (
                f"first trial after {starts[0] - began:.0f} s, last first one after {starts[workers - 1] - began:.0f}"
            )
            yield f"{workers} at once, each {each} trials that sleep, on PostgreSQL", ">= 0.9 of linear", measured


def restarts(faults: Faults) -> Iterator[Row]:
    """Studies whose servers are restarted while trials run, three times each."""
    with closing(Postgres()) as server:
        runs, of_studies, joint = (server.create(name) for name in ("runs", "studies", "joint"))
        mlflow_server = MlflowServer(runs, str(faults.folder / "served"))
        try:
            with open_store(joint, artifacts=str(faults.folder / "artifacts")) as store:
                yield _restarted(faults, store, "PostgreSQL, which has all", server)
            with open_store(mlflow_server.address, of_studies) as store:
                yield _restarted(faults, store, "an MLflow server", mlflow_server)
        finally:
            mlflow_server.stop()


def _restarted(faults: Faults, store: Store, what: str, server: Postgres | MlflowServer) -> Row:
    options, done = StudyOptions(trials=10, workers=2, study="load", sampler="random"), threading.Event()
    before = len(faults.found)

    def restart() -> None:
        for _ in range(3):
            if not done.wait(SLEEP):
                server.stop()
                server.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    study = tune(Search(Sleeping(), space, (), options, store)).study
    done.set()
    restarting.join()
    finished, states = finished_of(study.trials), Counter(one.state.name for one in study.trials)
    if len(completed(finished)) != 10 or len({str(one.params) for one in finished}) != 10:
        faults.add(what, f"finished are {[(one.state.name, one.params) for one in finished]}")
    for run in all_runs():
        if run.status == "RUNNING":
            faults.add(what, f"run {run.id} is RUNNING")
    told = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
    return (
        f"three restarts of {what}, in a study of 10 trials",
        "it goes on, nothing is lost",
        f"{len(faults.found) - before} faults ({told})",
    )


def _join(address: tuple[str, str], said: Any) -> None:
    """Joins as `make work` does; the tiny experiment is none of those that it would find."""
    studies.find, studies.find_space = lambda _: Instant, lambda _: space  # type: ignore[assignment]
    try:
        with open_store(address[0], artifacts=address[1]) as store:
            join(store, "load", 1)
        said.put("")
    except Exception as error:
        said.put(repr(error))


def _measured(faults: Faults, study: Study, workers: int) -> str:
    """How long a study's trials took; those that failed are faults."""
    done = completed(study.trials)
    for one in study.trials:
        if one not in done:
            faults.add(f"trial {one.number}", f"{one.state.name}: {one.user_attrs.get('reason')}")
    ends = sorted(one.datetime_complete.timestamp() for one in done if one.datetime_complete)
    each = [one.duration.total_seconds() for one in done if one.duration]
    seconds = _seconds_a_trial(ends, workers)
    return f"{faults.measured}; {seconds:.2f} s a trial, each lasted {statistics.median(each):.1f} s (median)"


def _seconds_a_trial(ends: Sequence[float], workers: int) -> float:
    """The seconds between the sorted ends of a study's trials, once all its workers have had one."""
    return (ends[-1] - ends[workers - 1]) / max(1, len(ends) - workers)
