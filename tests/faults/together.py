"""Many processes that write to one store at once: promotions with another hand and a reader beside, metrics, trials."""

import contextlib
import sqlite3
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from optuna.trial import BaseTrial

from library import Run, TrainingResult, load_model, open_store
from library.framework.errors import UserError
from library.framework.options import StudyOptions
from library.framework.registry.stages import set_stage
from library.framework.run import Callbacks
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.queries import all_runs, metric_history
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from library.framework.tuning.trials import completed
from tests.faults import Faults, Row
from tests.faults.programs import processes
from tests.tiny import Tiny
from tests.versions import NAME, aliases, clone, past, register, stages_now

PROMOTERS, ROUNDS, PROCESSES, METRICS, TRIALS = 20, 50, 8, 300, 1000


def promoters(faults: Faults) -> Iterator[Row]:
    """Every promoter moves its version to Production in every round."""
    context, rounds, began = processes("tests.versions"), faults.count(ROUNDS), time.monotonic()
    number = max(2, min(PROMOTERS, faults.count(PROMOTERS * 10)))
    root, said, done = faults.folder / "store", context.Queue(), context.Event()
    with open_store(root) as store:
        numbers = [first := register(store, faults.folder, "01"), *clone(first, number - 1)]
        set_stage(NAME, first, force=True)
    together = context.Barrier(number)
    running = [context.Process(target=_promote, args=(root, one, rounds, together, said)) for one in numbers]
    beside = [
        context.Process(target=_move, args=(root, faults.seed, done, said)),
        context.Process(target=_read, args=(root, done, said)),
    ]
    for process in (*beside, *running):
        process.start()
    results = [said.get() for _ in running]
    done.set()
    results += [said.get() for _ in (*beside, "two")]
    for process in (*beside, *running):
        process.join()
    for name, _, errors in results:
        for error in errors:
            faults.add(name, error)
    with open_store(root):
        periods = past()
        in_production = [version for version, stage in stages_now().items() if stage == "Production"]
        if not in_production == [aliases()["production"]] == [periods[-1][0]] or any(
            a[0] == b[0] for a, b in pairwise(periods)
        ):
            faults.add("at the end", f"Production {in_production}, aliases {aliases()}, last in history {periods[-1]}")
    counts: dict[str, Any] = {name: count for name, count, _ in results}
    what = f"{number} promoters x {rounds} rounds, {counts['moves']} moves of another hand, {counts['reads']} reads"
    longest = max(count for name, count, _ in results if name.startswith("promoter"))
    measured = (
        f"{faults.measured}, {len(periods)} changes in {time.monotonic() - began:.0f} s, longest wait {longest:.0f} s"
    )
    measured += f", two in Production at {counts['two']} reads, right after another hand's move"
    yield what, "one in Production, no failed read", measured


def _promote(root: Path, version: str, rounds: int, together: Any, said: Any) -> None:
    errors, longest = list[str](), 0.0
    with open_store(root):
        for _ in range(rounds):
            together.wait()
            began = time.monotonic()
            try:
                set_stage(NAME, version, force=True)
            except UserError as error:
                if "in Production already" not in str(error):
                    errors.append(str(error))
            except Exception as error:
                errors.append(repr(error))
            longest = max(longest, time.monotonic() - began)
    said.put((f"promoter {version}", longest, errors))


def _move(root: Path, seed: int, done: Any, said: Any) -> None:
    """Moves as in MLflow's pages, each of which leaves a version in Production; MLflow may refuse one."""
    random, moves = Random(seed), 0  # noqa: S311
    with open_store(root):
        client = mlflow.MlflowClient()
        while not done.wait(0.05):
            version = random.choice(list(stages_now()))
            ways: list[Callable[..., Any]] = [
                partial(client.set_registered_model_alias, NAME, "production", version),
                partial(client.set_registered_model_alias, NAME, "champion", version),
                partial(client.delete_registered_model_alias, NAME, "production"),
                partial(client.set_registered_model_tag, NAME, "note", "x"),
                partial(client.transition_model_version_stage, NAME, version, "Production", True),
            ]
            with contextlib.suppress(MlflowException), warnings.catch_warnings(action="ignore"):
                random.choice(ways)()
            moves += 1
    said.put(("moves", moves, []))


def _read(root: Path, done: Any, said: Any) -> None:
    reads, errors, two = 0, list[str](), 0
    with open_store(root), contextlib.closing(sqlite3.connect(root / "mlflow.db", timeout=60)) as database:
        while not done.is_set():
            try:
                query = "SELECT COUNT(*) FROM model_versions WHERE current_stage = 'Production'"
                [(count,)] = database.execute(query).fetchall()
                two += count > 1  # by MLflow's own transaction beside ours: the next of our commands archives one
                if not count:
                    errors.append("no version in Production")
                load_model(NAME).predict(["?"])
                reads += 1
            except Exception as error:
                errors.append(repr(error))
    said.put(("reads", reads, errors))
    said.put(("two", two, []))


class Instant(Tiny):
    """The tiny experiment, of which a trial trains nothing: what it lasts is what the framework takes."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        if self.config.epochs > 1:
            return super().fit(run, callbacks)
        metrics = {"train/loss": 1.0, "val/loss": abs(self.config.data_seed - 5e5)}
        run.log_metrics(metrics, 1)
        return TrainingResult(None, metrics, 1)


def space(trial: BaseTrial) -> Mapping[str, Any]:
    """Enough configs for all trials to differ."""
    return {"seed": trial.suggest_int("seed", 0, 10**6)}


def metrics(faults: Faults) -> Iterator[Row]:
    """Processes that open a store, which is not there yet, and log metrics."""
    context, count, root, began = processes(), faults.count(METRICS), faults.folder / "store", time.monotonic()
    said, together = context.Queue(), context.Barrier(PROCESSES)
    running = [context.Process(target=_log, args=(root, count, together, said)) for _ in range(PROCESSES)]
    for process in running:
        process.start()
    for error in filter(None, [said.get() for _ in running]):
        faults.add("of a process", error)
    with open_store(root):
        for run in all_runs():
            if run.status != "FINISHED" or list(metric_history(run.id, "a")) != list(range(count)):
                faults.add(f"run {run}", f"{run.status}, {len(metric_history(run.id, 'a'))} of {count} values")
    what = f"{PROCESSES} processes x {count} metrics on one new store"
    yield what, "0 errors, all values there", f"{faults.measured} in {time.monotonic() - began:.0f} s"


def _log(root: Path, count: int, together: Any, said: Any) -> None:
    try:
        together.wait()
        with open_store(root) as store, start_run(store, "load", "run") as run:
            for step in range(count):
                run.log_metrics({"a": float(step)}, step)
        said.put("")
    except Exception as error:
        said.put(repr(error))


def trials(faults: Faults) -> Iterator[Row]:
    """A study whose trials train nothing, by as many workers as the machine has no cores for."""
    count = max(PROCESSES, faults.count(TRIALS))
    with open_store(faults.folder / "store") as store:
        options = StudyOptions(trials=count, workers=PROCESSES, study="load", sampler="random")
        study = tune(Search(Instant(), space, (), options, store)).study
    done = completed(study.trials)
    for one in study.trials:
        if one not in done:
            faults.add(f"trial {one.number}", f"{one.state.name}: {one.user_attrs.get('reason')}")
    ends = sorted(one.datetime_complete.timestamp() for one in done if one.datetime_complete)
    each = [one.duration.total_seconds() for one in done if one.duration]
    rate = (ends[-1] - ends[PROCESSES - 1]) / max(1, len(ends) - PROCESSES)
    measured = f"{faults.measured}; {rate:.2f} s a trial, each lasted {statistics.median(each):.1f} s (median)"
    yield (
        f"{PROCESSES} workers x {count} trials that train nothing",
        "0 errors, no lock errors, < 0.5 s a trial",
        measured,
    )
