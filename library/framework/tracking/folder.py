"""A store in a folder, the default: nothing to start, and all of it in one place that can be moved.

`mlflow.db` holds runs and registry, `optuna.db` studies, `artifacts/` files, `locks/` locks. A store that cannot be
written is opened as it is by what only reads it.
"""

import hashlib
import shlex
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from ..environment import option
from .access import DATABASES, is_of_disk, refusal, share_with_group
from .address import FOLDER
from .base import Store
from .location import relocate


class FolderLock(FileLock):
    """A lock on a file, which cannot be lost."""

    is_lost = False

    def remove(self) -> None:
        """Removes the file."""
        Path(self.lock_file).unlink(missing_ok=True)


@dataclass(frozen=True)
class FolderStore(Store):
    """The folder that holds everything."""

    root: Path
    is_shared = False

    def __str__(self) -> str:
        return str(self.root)

    @property
    def tracking_uri(self) -> str:
        return _sqlite(self.root / "mlflow.db")

    @property
    def studies_uri(self) -> str:
        """A database of its own, as MLflow and Optuna keep their version in one table's name."""
        return _sqlite(self.root / "optuna.db")

    @property
    def engine_settings(self) -> Mapping[str, Any]:
        # Without a pool, which Optuna would never close: a connection lasts as long as one query.
        return {"connect_args": {"timeout": 60}, "poolclass": NullPool}

    @property
    def has_studies(self) -> bool:
        database = self.root / "optuna.db"
        return database.exists() and database.stat().st_size > 0

    @property
    def local(self) -> Path:
        return self.root

    @property
    def outputs(self) -> Path:
        return self.root

    @property
    def option(self) -> str:
        return "" if self.root == Path(FOLDER).resolve() else f" {option(store=shlex.quote(str(self.root)))}"

    @property
    def artifacts_uri(self) -> str:
        return (self.root / "artifacts").as_uri()

    @property
    def remedy(self) -> str:
        return f"give {option(store='folder')} that can be written, with space left"

    def refusal(self, experiment: str = "") -> str:
        locks, artifacts = self.root / "locks", self.root / "artifacts"
        databases = (self.root / name for name in DATABASES)
        refused = refusal(self.root, artifacts, *databases, locks, *locks.glob("*"), artifacts / experiment)
        return refused and f"{refused}; give {option(store='folder')} that can be written"

    def lock(self, name: str) -> FolderLock:
        self.check_writable()
        (self.root / "locks").mkdir(exist_ok=True)
        short = name if len(name.encode()) <= 255 else hashlib.sha256(name.encode()).hexdigest()
        return FolderLock(self.root / "locks" / short)

    def release_connections(self) -> None:
        """Does nothing: SQLite has no server."""

    def open(self, *, writes: bool) -> None:
        """Makes the folder if there is none; where its group may write it, the group may also write what it holds."""
        database = self.root / "mlflow.db"
        if not writes and database.exists() and self.refusal():
            self.connect()
            return
        self.check_writable()
        self.root.mkdir(parents=True, exist_ok=True)
        share_with_group(self.root)
        (self.root / "artifacts").mkdir(exist_ok=True)
        self.connect()
        with self.lock("opening"):  # two that create one database at once would break it
            if not database.exists() or database.stat().st_size == 0:
                self._create(database)
            mlflow.search_experiments(max_results=1)
            relocate(self.root)

    def _create(self, database: Path) -> None:
        """Makes MLflow's database elsewhere first: nothing opens one whose process died while tables were made."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # late, as it takes half a second

        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            (made := Path(folder, database.name)).touch(0o666)
            store: Any = SqlAlchemyStore(_sqlite(made), self.artifacts_uri)  # type: ignore[no-untyped-call]
            store.delete_experiment("0")  # MLflow's own, which stays empty
            store._dispose_engine()
            made.replace(database)

    def failure(self, error: BaseException) -> str | None:
        return str(error) if isinstance(error, sqlite3.Error) or is_of_disk(error, self.root) else None


def _sqlite(path: Path) -> str:
    """The address of a database, whatever characters its path has."""
    address = URL.create("sqlite", database=str(path)).render_as_string()
    # MLflow would make the folder that a quoted path spells, unless the address names the driver.
    return address if address == f"sqlite:///{path}" else address.replace("sqlite:", "sqlite+pysqlite:", 1)
