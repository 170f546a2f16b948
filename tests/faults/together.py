"""Many processes that write to one store at once: promotions with another hand and a reader beside, metrics."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, text

from library import load_model, open_store
from library.framework.errors import UserError
from library.framework.registry.stages import set_stage
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.queries import all_runs, metric_history
from library.framework.tracking.store import Store
from tests.faults import Faults, Row
from tests.faults.programs import processes
from tests.postgres import Postgres
from tests.versions import NAME, aliases, clone, past, register, stages_now

PROMOTERS, ROUNDS, PROCESSES, METRICS = 20, 50, 8, 300

Address = tuple[str, str]
"""Of a store, and of its artifacts where it is no folder."""


def promoters(faults: Faults) -> Iterator[Row]:
    """Every promoter moves its version to Production in every round, in a folder and in a database."""
    yield _promoters(faults, (str(faults.folder / "store"), ""), "a folder")
    with closing(Postgres()) as server:
        yield _promoters(faults, (server.create("runs"), str(faults.folder / "artifacts")), "PostgreSQL")


def _promoters(faults: Faults, address: Address, kind: str) -> Row:
    context, rounds, began = processes("tests.versions"), faults.count(ROUNDS), time.monotonic()
    number, before = max(2, min(PROMOTERS, faults.count(PROMOTERS * 10))), len(faults.found)
    said, done = context.Queue(), context.Event()
    with _open(address) as store:
        numbers = [first := register(store, faults.folder, "01"), *clone(first, number - 1)]
        set_stage(NAME, first, force=True)
    together = context.Barrier(number)
    running = [context.Process(target=_promote, args=(address, one, rounds, together, said)) for one in numbers]
    beside = [
        context.Process(target=_move, args=(address, faults.seed, done, said)),
        context.Process(target=_read, args=(address, done, said)),
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
    with _open(address):
        periods = past()
        in_production = [version for version, stage in stages_now().items() if stage == "Production"]
        if not in_production == [aliases()["production"]] == [periods[-1][0]] or any(
            a[0] == b[0] for a, b in pairwise(periods)
        ):
            faults.add("at the end", f"Production {in_production}, aliases {aliases()}, last in history {periods[-1]}")
    counts: dict[str, Any] = {name: count for name, count, _ in results}
    what = f"{number} promoters x {rounds} rounds in {kind}, {counts['moves']} moves of another hand, "
    what += f"{counts['reads']} reads"
    longest = max(count for name, count, _ in results if name.startswith("promoter"))
    cost, seconds = len(faults.found) - before, time.monotonic() - began
    measured = f"{cost} faults, {len(periods)} changes in {seconds:.0f} s, longest wait {longest:.0f} s"
    measured += f", two in Production at {counts['two']} reads, right after another hand's move"
    return what, "one in Production, no failed read", measured


def _open(address: Address) -> Store:
    return open_store(address[0], artifacts=address[1])


def _promote(address: Address, version: str, rounds: int, together: Any, said: Any) -> None:
    errors, longest = list[str](), 0.0
    with _open(address):
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


def _move(address: Address, seed: int, done: Any, said: Any) -> None:
    """Moves as in MLflow's pages, each of which leaves a version in Production; MLflow may refuse one."""
    random, moves = Random(seed), 0  # noqa: S311
    with _open(address):
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


def _read(address: Address, done: Any, said: Any) -> None:
    reads, errors, two = 0, list[str](), 0
    query = text("SELECT COUNT(*) FROM model_versions WHERE current_stage = 'Production'")
    with _open(address) as store, create_engine(store.tracking_uri).connect() as database:
        while not done.is_set():
            try:
                [count] = database.execute(query).scalars()
                database.rollback()  # or the next query would see what this one saw
                two += count > 1  # by MLflow's own transaction beside ours: the next of our commands archives one
                if not count:
                    errors.append("no version in Production")
                load_model(NAME).predict(["?"])
                reads += 1
            except Exception as error:
                errors.append(repr(error))
    said.put(("reads", reads, errors))
    said.put(("two", two, []))


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
