"""MLflow runs: the only file that opens, ends and repairs them.

Everything lies in one folder: `mlflow.db` (runs and registry), `optuna.db` (studies) and `artifacts/`. A run says in
a tag which process writes it; whoever opens the store next ends what a dead process left open.
"""

import errno
import logging
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from filelock import FileLock

from ..errors import StoreError, UserError

if TYPE_CHECKING:
    pass

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it tells tracebacks of what is raised anyway


@dataclass(frozen=True)
class Store:
    """The folder that holds runs, registry, studies and artifacts."""

    root: Path

    @property
    def tracking_uri(self) -> str:
        """What `MLFLOW_TRACKING_URI` is to be set to in order to reach this store from elsewhere."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def studies_uri(self) -> str:
        """Where Optuna keeps the studies: a database of its own, as both keep their version in one table's name."""
        return f"sqlite:///{self.root / 'optuna.db'}"

    @property
    def variable(self) -> str:
        """What `make` is to be told to use this store, after a space; nothing where that is `mlruns` of this folder."""
        return "" if self.root == Path("mlruns").resolve() else f" STORE={shlex.quote(str(self.root))}"

    def lock(self, name: str) -> FileLock:
        """A lock that one process holds at a time, and that its death releases."""
        (self.root / "locks").mkdir(exist_ok=True)
        return FileLock(self.root / "locks" / name)

    def connect(self) -> None:
        """Makes this the store that MLflow speaks to in this process."""
        mlflow.set_tracking_uri(self.tracking_uri)


def connected() -> Store:
    """The store that MLflow speaks to in this process; StoreError if that is not a folder of this machine."""
    uri = mlflow.get_tracking_uri()
    if not uri.startswith("sqlite:///"):
        raise StoreError(f"store {uri}: versions are registered and moved where its folder is; open that")
    return Store(Path(uri.removeprefix("sqlite:///")).parent)


@contextmanager
def store_errors(store: Store) -> Iterator[None]:
    """Turns what a full disk, a missing permission or a damaged database raise within the block into a StoreError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        failure = _storage_failure(error, store.root)
        if failure is None:
            raise
        raise StoreError(
            f"store {store.root}: {failure}; give STORE=folder that can be written, with space left"
        ) from error


def _storage_failure(error: BaseException | None, root: Path) -> str | None:
    """What the disk or the database said, if that is behind an error."""
    while error is not None:
        if isinstance(error, sqlite3.Error) or (isinstance(error, OSError) and error.errno in DISK_ERRORS):
            return str(error)
        if isinstance(error, OSError) and Path(str(error.filename)).is_relative_to(root):
            return str(error)
        error = error.__cause__ or error.__context__
    return None
