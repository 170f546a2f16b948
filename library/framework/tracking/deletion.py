"""Runs removed for good, from the database and the disk; MLflow's pages only hide what they delete.

The database is written first: if the process dies in between, the files are of no run, and `make gc` finds them.
"""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.tracking._tracking_service.utils import _get_store

from ..errors import UserError
from .base import Store
from .files import local_path
from .folder import FolderStore


@dataclass(frozen=True)
class Removal:
    """One thing that is to go.

    Attributes:
        text: what it is, as in `run 366624ff (defaults)`.
        paths: of its files and folders.
        forget: removes it from the database.
    """

    text: str
    paths: tuple[Path, ...] = ()
    forget: Callable[[], object] = lambda: None

    @property
    def bytes(self) -> int:
        """The size of its files."""
        files = (file for path in self.paths for file in (path, *path.rglob("*")) if file.is_file())
        return sum(file.lstat().st_size for file in files)

    def carry_out(self) -> None:
        """Removes it; OSError where a file cannot be removed."""
        self.forget()
        for path in filter(Path.exists, self.paths):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@dataclass(frozen=True)
class Plan:
    """What is to go, and what stays for a reason, in words."""

    removals: tuple[Removal, ...]
    kept: tuple[str, ...] = ()

    def carry_out(self) -> None:
        """Removes all; OSError where a file cannot be removed."""
        for one in self.removals:
            one.carry_out()


def backend() -> Any:
    """MLflow's own access to the database, whose functions for `mlflow gc` remove for good."""
    return _get_store()  # type: ignore[no-untyped-call]


def in_folder(store: Store) -> FolderStore:
    """The store, which must be a folder; UserError where it is on servers, which delete for good themselves."""
    if not isinstance(store, FolderStore):
        raise UserError(f"store {store}: this command deletes in folders alone; use `mlflow gc` on the server")
    return store


def rows(store: FolderStore, query: str, *values: str) -> list[tuple[Any, ...]]:
    """What a query finds in the database, whatever was deleted in MLflow's pages."""
    with closing(sqlite3.connect(store.root / "mlflow.db", timeout=60)) as database:
        return database.execute(query, values).fetchall()


def local(address: str) -> Path:
    """The path of an address of artifacts, without MLflow's innermost folder, which it shares with nothing."""
    path = local_path(address) or Path(address)  # which exists nowhere, as of what another hand keeps on servers
    return path.parent if path.name == "artifacts" else path


def run_removal(store: FolderStore, run_id: str, name: str) -> Removal:
    """The run of an id, with the models that it logged and all files; its name is for people."""
    [(address,)] = rows(store, "SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id)
    query = "SELECT model_id, artifact_location FROM logged_models WHERE source_run_id = ?"
    models: Mapping[str, str] = dict(rows(store, query, run_id))

    def forget() -> None:
        for model in models:
            backend()._hard_delete_logged_model(model)
        backend().delete_run(run_id)  # also what else MLflow has of it
        backend()._hard_delete_run(run_id)

    return Removal(f"run {run_id[:8]} ({name})", (local(address), *map(local, models.values())), forget)
