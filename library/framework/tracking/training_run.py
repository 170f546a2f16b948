"""A training's run, which goes on where the same training was killed.

Its checkpoints lie in a folder that is named by the experiment, the config and the data; a lock of the same name keeps
it to one process at a time, and is released by that one's death.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mlflow
from filelock import Timeout

from ..errors import StoreError
from ..experiment import Experiment
from ..training import checkpoints
from .base import Lock, Store
from .mlflow_run import MlflowRun, start_run
from .queries import exists

RUN = "run"
"""The file in a folder of checkpoints with the id of their run."""
SECONDS = 2
"""To wait for a lock: another process holds it for a moment when it looks for checkpoints that are stale."""


@contextmanager
def start_training(
    store: Store,
    experiment: Experiment,
    name: str,
    *,
    role: str,
    parent: str | None = None,
    resumes_run: bool = True,
    tags: Mapping[str, Any] | None = None,
    about: str = "",
) -> Iterator[MlflowRun]:
    """The run of a config's training; trainings in the block go on from their checkpoints, if they were killed.

    These are gone when the block ends, unless it is interrupted or the store fails. Where another process is at the
    same training, this one keeps none.

    Args:
        store: an open store.
        experiment: of the config.
        name: of the run.
        role: what it is trained for; a training goes on from one of the same role, experiment, config and data.
        parent: id of the run that it belongs to, whichever it belonged to before.
        resumes_run: whether it goes on in the run that was killed; else in a new one, which gets the earlier steps too.
        tags: of the run.
        about: description of the MLflow experiment, if it is created.
    """
    described = [experiment.name, experiment.config.model_dump(mode="json"), experiment.dataset_digest, role]
    with _reserved(store, hashlib.sha256(json.dumps(described).encode()).hexdigest()[:32]) as folder:
        had = _run_to_resume(folder) if folder else None
        of_parent = {"mlflow.parentRunId": parent} if parent else {}
        with (
            start_run(
                store, experiment.name, name, parent=parent, resume=had if resumes_run else None,
                config=experiment.config, tags={**(tags or {}), **of_parent}, about=about,
            ) as run,
            checkpoints.kept_in(folder),
        ):  # fmt: skip
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / RUN).write_text(run.id)
            yield run


@contextmanager
def _reserved(store: Store, key: str) -> Iterator[Path | None]:
    """The folder of a training's checkpoints, for this process alone; None if another has it."""
    _remove_stale(store)
    lock, folder = _lock(store, key), None
    try:
        lock.acquire(timeout=SECONDS)
        folder = store.checkpoints / key
    except Timeout:
        print("training: another process is at the same one; this one keeps no checkpoint", flush=True)
    try:
        with store:
            yield folder
    except StoreError:  # with space left, it goes on
        raise
    except Exception:
        _remove(folder, lock)
        raise
    else:
        _remove(folder, lock)
    finally:
        lock.release()


def _lock(store: Store, key: str) -> Lock:
    return store.lock(f"checkpoint {key}")


def _remove(folder: Path | None, lock: Lock) -> None:
    """Removes what this process has locked."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
        lock.remove()


def _remove_stale(store: Store) -> None:
    """Removes the checkpoints of runs that have ended, in which nothing goes on."""
    for folder in store.checkpoints.glob("*"):
        lock = _lock(store, folder.name)
        with suppress(Timeout), lock.acquire(timeout=0):
            if not (folder / RUN).exists() or _has_ended((folder / RUN).read_text()):
                _remove(folder, lock)


def _has_ended(run_id: str) -> bool:
    """Whether a run or the one that it belongs to is finished or was deleted."""
    if not exists(run_id):
        return True
    run = mlflow.get_run(run_id)
    parent = run.data.tags.get("mlflow.parentRunId")
    return run.info.status == "FINISHED" or (parent is not None and _has_ended(parent))


def _run_to_resume(folder: Path) -> str | None:
    """The run whose training goes on from the checkpoints in a folder; None if there are none, or these are removed."""
    if reason := checkpoints.check(folder):
        print(f"training: begins anew: {reason}", flush=True)
        shutil.rmtree(folder)
    return (folder / RUN).read_text() if any(folder.glob("*.npz")) else None
