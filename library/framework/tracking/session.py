"""A store opened for a command, which ends what dead processes left open."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow.exceptions import MlflowException

from .. import environment
from ..errors import StoreError

if TYPE_CHECKING:
    pass
from .queries import exists, status_of
from .store import Store, store_errors


@contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Opens the store, creates it if there is none, and ends the runs that dead processes left open.

    Raises:
        StoreError: here or within the block, it cannot be opened, read or written, or its disk is full.
    """
    store = Store(root.resolve())
    with store_errors(store):
        (store.root / "artifacts").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=store.root).close()
        store.connect()
        try:
            with store.lock("opening"):  # two that create one database at once would break it
                _end_abandoned_runs()
        except MlflowException as error:  # such as a database of another version
            raise StoreError(f"store {store.root}: {str(error).splitlines()[0]}") from error
        yield store


def align_run(run_id: str, status: str, reason: str = "") -> None:
    """Ends the run of another process, which must be gone, as it should have ended; leaves one that did."""
    client = mlflow.MlflowClient()
    if exists(run_id) and status_of(run_id) != status:
        if reason:
            client.set_tag(run_id, "reason", reason)
        client.set_terminated(run_id, status)


def _end_abandoned_runs() -> None:
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    for run in client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1000):
        process = run.data.tags.get("process")
        if process and not environment.is_alive(process):
            align_run(run.info.run_id, "FAILED", f"process {process.split()[1]} died")
