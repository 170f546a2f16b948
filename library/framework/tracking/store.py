"""A store: the folder that holds runs, registry, studies and artifacts, and how it is opened.

`mlflow.db` holds runs and registry, `optuna.db` studies, `artifacts/` files. Whoever opens the store ends the runs that
dead processes left open. A store that cannot be written is opened as it is by what only reads it.
"""

import errno
import hashlib
import logging
import os
import shlex
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import mlflow
from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException
from sqlalchemy import URL

from ..environment import is_alive, option
from ..errors import StoreError, UserError
from .access import DATABASES, refusal, share_with_group
from .location import relocate
from .queries import exists

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
DEFAULT = Path("mlruns")
REDIRECTING = (
    "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_ACTIVE_MODEL_ID",
    "MLFLOW_WORKSPACE", "MLFLOW_ENABLE_WORKSPACES", "MLFLOW_WORKSPACE_STORE_URI", "MLFLOW_ENABLE_ASYNC_LOGGING",
    "MLFLOW_READ_REPLICA_BACKEND_STORE_URI",
)  # fmt: skip
"""Variables by which MLflow would write elsewhere, later, or to another program's run: the store holds everything."""
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it logs tracebacks of what is raised anyway


@dataclass(frozen=True)
class Store:
    """The folder that holds runs, registry, studies and artifacts; as a context, it makes disk errors StoreErrors."""

    root: Path

    @property
    def tracking_uri(self) -> str:
        """What `MLFLOW_TRACKING_URI` is to be set to in order to reach this store from elsewhere."""
        return _sqlite(self.root / "mlflow.db")

    @property
    def studies_uri(self) -> str:
        """Where Optuna keeps the studies: a database of its own, as both keep their version in one table's name."""
        return _sqlite(self.root / "optuna.db")

    @property
    def checkpoints(self) -> Path:
        """Where trainings that are under way keep their checkpoints, each in a folder of its own."""
        return self.root / "checkpoints"

    @property
    def option(self) -> str:
        """What a command is to be given to use this store, after a space; empty where that is the default folder."""
        return "" if self.root == DEFAULT.resolve() else f" {option(store=shlex.quote(str(self.root)))}"

    def refusal(self, *more: Path) -> str:
        """Why this process may not write the store, or more paths in it; empty if it may."""
        locks = self.root / "locks"
        databases = (self.root / name for name in DATABASES)
        return refusal(self.root, self.root / "artifacts", *databases, locks, *locks.glob("*"), *more)

    def check_writable(self, *more: Path) -> None:
        """Raises a StoreError where this process may not write the store, or more paths in it."""
        if refused := self.refusal(*more):
            give = f"give {option(store='folder')} that can be written"
            raise StoreError(f"store {self.root}: {refused}; {give}")

    def lock(self, name: str) -> FileLock:
        """A lock that one process holds at a time, and that its death releases; StoreError as of `check_writable`."""
        self.check_writable()
        (self.root / "locks").mkdir(exist_ok=True)
        short = name if len(name.encode()) <= 255 else hashlib.sha256(name.encode()).hexdigest()
        return FileLock(self.root / "locks" / short)

    @contextmanager
    def run_lock(self) -> Iterator[str]:
        """A lock for one run that this process is about to write; gives what the run's tag `lock` is to be.

        Whoever finds the lock free knows that the run's process is dead, wherever it ran: in a container, on a host.
        """
        token = uuid.uuid4().hex
        with (lock := self.lock(f"run-{token}")):
            try:
                yield token
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)

    def connect(self) -> None:
        """Makes this the store that MLflow and the registry use in this process."""
        global _current
        _current = self
        for variable in REDIRECTING:
            os.environ.pop(variable, None)
        mlflow.set_tracking_uri(self.tracking_uri)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raises a StoreError in place of what a full disk, a missing permission or a damaged database raised."""
        if isinstance(error, Exception) and not isinstance(error, UserError):
            failure = _storage_failure(error, self.root)
            if failure:
                give = f"give {option(store='folder')} that can be written, with space left"
                raise StoreError(f"store {self.root}: {failure}; {give}") from error


def _sqlite(path: Path) -> str:
    """The address of a database, whatever characters its path has."""
    address = URL.create("sqlite", database=str(path)).render_as_string()
    # MLflow would make the folder that a quoted path spells, unless the address names the driver.
    return address if address == f"sqlite:///{path}" else address.replace("sqlite:", "sqlite+pysqlite:", 1)


_current: Store | None = None


def current_store() -> Store:
    """The store that was connected last in this process; the default folder, connected now, where none was."""
    store = _current or Store(DEFAULT.resolve())
    store.connect()  # whatever MLflow's own address was set to since then
    return store


def open_store(root: str | Path = DEFAULT, *, writes: bool = True) -> Store:
    """Opens a store, creates it if there is none, and ends the runs that dead processes left open.

    `with open_store(...) as store` also turns errors of its disk within the block into a StoreError. Where the group of
    the store's folder may write it, the group may also write what this process makes from then on (its umask).

    Args:
        root: the store's folder.
        writes: False opens a store that cannot be written too: as it is, nothing in it is changed.

    Raises:
        StoreError: it cannot be opened, read or written, or its disk is full.
    """
    with Store(Path(root).resolve()) as store:
        if not writes and (store.root / "mlflow.db").exists() and store.refusal():
            store.connect()
            return store
        store.check_writable()
        store.root.mkdir(parents=True, exist_ok=True)
        share_with_group(store.root)
        (store.root / "artifacts").mkdir(exist_ok=True)
        store.connect()
        database = store.root / "mlflow.db"
        try:
            with store.lock("opening"):  # two that create one database at once would break it
                is_new = not database.exists() or database.stat().st_size == 0
                _end_abandoned_runs(store)
                relocate(store.root)
                if is_new:  # MLflow's own experiment, which stays empty
                    mlflow.MlflowClient().delete_experiment("0")
        except MlflowException as error:  # such as a database of another version
            raise StoreError(f"store {store.root}: {str(error).splitlines()[0]}") from error
    return store


def set_terminated(run_id: str, status: str, reason: str = "") -> None:
    """Ends the run of another process, which must be gone, with a status; does nothing where it has that status."""
    client = mlflow.MlflowClient()
    if exists(run_id) and client.get_run(run_id).info.status != status:
        if reason:
            client.set_tag(run_id, "reason", reason)
        client.set_terminated(run_id, status)


def _end_abandoned_runs(store: Store) -> None:
    running = "attributes.status = 'RUNNING'"
    for run in mlflow.search_runs(search_all_experiments=True, filter_string=running, output_format="list"):
        token, process = run.data.tags.get("lock"), run.data.tags.get("process", "")
        is_named = len(process.split()) == 3  # as by `this_process`, and not by another program's tag
        reason = "process {1} on {0} died".format(*process.split()) if is_named else "its process died"
        if token:
            with suppress(Timeout), store.lock(f"run-{token}").acquire(timeout=0) as lock:
                now = mlflow.get_run(run.info.run_id)  # as it may have ended, or been resumed, since it was found
                if now.info.status == "RUNNING" and now.data.tags.get("lock") == token:
                    set_terminated(run.info.run_id, "FAILED", reason)
                Path(lock.lock_file).unlink(missing_ok=True)
        elif is_named and not is_alive(process):  # of an earlier version, which had no locks
            set_terminated(run.info.run_id, "FAILED", reason)


def _storage_failure(error: BaseException | None, root: Path) -> str | None:
    """What the disk or the database said, if that is behind an error."""
    while error is not None:
        if isinstance(error, sqlite3.Error) or (
            isinstance(error, OSError)
            and (error.errno in DISK_ERRORS or Path(str(error.filename)).is_relative_to(root))
        ):
            return str(error)
        error = error.__cause__ or error.__context__
    return None
