"""Opens a store, of whichever kind, and ends the runs that dead processes left open in it."""

import logging
import os
from contextlib import suppress
from pathlib import Path

import mlflow
from alembic.util.exc import CommandError
from filelock import Timeout
from mlflow.exceptions import MlflowException

from ..config import parse
from ..environment import is_alive
from ..errors import StoreError, UserError
from ..options import StoreOptions
from .address import is_address
from .base import Store, connected_store
from .folder import FolderStore
from .queries import exists, read_run, running_runs

__all__ = ["Store", "current_store", "end_abandoned_runs", "open_store", "set_terminated", "store_of"]

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # a line for every run on a server
logging.getLogger("mlflow").setLevel(logging.WARNING)
for _name in ("mlflow.store.db.utils", "sqlalchemy.pool"):  # these log tracebacks of what is raised anyway
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def store_of(options: StoreOptions) -> Store:
    """The store that options name, not open."""
    if not is_address(options.store):
        root = Path(options.store).resolve()
        if str(root).encode(errors="replace").decode() != str(root):
            raise UserError(f"store: got the folder {str(root)!r}; allowed is one whose path is text in UTF-8")
        return FolderStore(root)

    try:
        from .server import ServerStore  # late, as most need no driver of a database
    except ImportError as error:
        package = {"psycopg2": "psycopg2-binary"}.get(str(error.name), error.name)
        raise UserError(f"store {options.store}: {error.name} is not installed; pip install {package}") from None

    return ServerStore(options.store, options.studies, options.artifacts)


def current_store() -> Store:
    """The store that was connected last in this process; the default one, connected now, where none was."""
    store = connected_store() or store_of(parse(StoreOptions, {}))
    store.connect()  # whatever MLflow's own address was set to since then
    return store


def open_store(
    store: str | Path | None = None, studies: str = "", artifacts: str = "", *, writes: bool = True
) -> Store:
    """Opens a store, creates it if there is none, and ends the runs that dead processes left open.

    `with open_store(...) as store` also turns failures of its disk or servers within the block into a StoreError. Where
    the group of a store's folder may write it, the group may also write what this process makes from then on (its
    umask).

    Args:
        store: a folder, `http(s)://` of an MLflow server, or `postgresql://`; None: what `MLFLOW_TRACKING_URI` names if
            it is one of the latter, else the folder `mlruns`.
        studies: `postgresql://` of the studies, of a store that is no folder; empty: what `OPTUNA_STORAGE` names, else
            the schema `optuna` of a store in PostgreSQL.
        artifacts: folder or `s3://` address, of a store in PostgreSQL.
        writes: False opens a store that cannot be written too: as it is, nothing in it is changed.

    Raises:
        UserError: an address is not allowed, or a package that it needs is not installed.
        StoreError: the store cannot be opened, read or written, or its disk is full.
    """
    given = {"store": store and str(store), "studies": studies, "artifacts": artifacts}
    return open_of(parse(StoreOptions, {name: value for name, value in given.items() if value}), writes=writes)


def open_of(options: StoreOptions, *, writes: bool = True) -> Store:
    """As `open_store`, with its arguments as options."""
    with store_of(options) as store:
        try:
            store.open(writes=writes)
            if not store.refusal():
                end_abandoned_runs(store)
        except CommandError as error:  # of a version that this MLflow does not know
            newer = f"a newer MLflow made it than the installed {mlflow.__version__}; pip install --upgrade mlflow"
            raise StoreError(f"store {store}: {newer}") from error
        except MlflowException as error:  # such as a database of an older version
            if any(store.failure(cause) for cause in (error, error.__cause__) if cause):
                raise
            raise StoreError(f"store {store}: {str(error).splitlines()[0]}") from error
    return store


def set_terminated(run_id: str, status: str, reason: str = "") -> None:
    """Ends the run of another process, which must be gone, with a status; does nothing where it has that status."""
    client = mlflow.MlflowClient()
    if exists(run_id) and client.get_run(run_id).info.status != status:
        if reason:
            client.set_tag(run_id, "reason", reason)
        client.set_terminated(run_id, status)


def end_abandoned_runs(store: Store) -> None:
    """Ends the runs whose processes have died."""
    for run in running_runs():
        token, process = run.tags.get("lock"), run.tags.get("process", "")
        is_named = len(process.split()) == 3  # as by `this_process`, and not by another program's tag
        reason = "process {1} on {0} died".format(*process.split()) if is_named else "its process died"
        if token:
            lock = store.lock(f"run-{token}")
            with suppress(Timeout), lock.acquire(timeout=0):
                now = read_run(run.id)  # as it may have ended, or been resumed, since it was found
                if now.status == "RUNNING" and now.tags.get("lock") == token:
                    set_terminated(run.id, "FAILED", reason)
                lock.remove()
        elif is_named and not is_alive(process):  # of an earlier version, which had no locks
            set_terminated(run.id, "FAILED", reason)
