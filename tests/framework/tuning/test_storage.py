"""Studies that outlive hands in other tools: one is deleted while it runs; another Optuna made the database."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from sqlalchemy import create_engine, text

from library import Run, TrainingResult
from library.framework import notebook
from library.framework.errors import StoreError, StudyDeleted
from library.framework.reporting.html import write_report
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search, storage_of
from library.framework.tuning.study import tune
from tests import tiny

NewSearch = Callable[..., Search]


class Deleting(tiny.Tiny):
    """Deletes its study, whose database `fails` names, as another tool does, and trains on."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        optuna.delete_study(study_name="tiny", storage=self.config.fails)
        return super().fit(run, callbacks)


@pytest.mark.slow
def test_a_study_that_is_deleted_while_it_runs_ends_in_one_line(new_search: NewSearch, store: Store) -> None:
    error = "study 'tiny' was deleted while it ran; the same command begins it anew"
    with pytest.raises(StudyDeleted, match=f"^{error}$"):
        tune(new_search(trials=4, workers=2, experiment=Deleting(fails=store.studies_uri)))
    runs = mlflow.search_runs(experiment_names=["tiny"], output_format="list")
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.tags["reason"] == f"StudyDeleted: {error}"
    assert {run.info.status for run in runs} == {"FAILED"}
    assert 2 <= len(runs) <= 3
    assert all(error in run.data.tags["reason"] for run in runs)
    assert tune(new_search(trials=1)).best.number == 0


def test_the_database_of_an_older_optuna_is_one_line_with_the_command_that_upgrades_it(store: Store) -> None:
    storage_of(store)
    _set_version(store, "v3.0.0.d")
    error = f"^studies: an older Optuna made sqlite:///{store.root}/optuna.db; copy it, then upgrade it: "
    with pytest.raises(StoreError, match=error) as raised:
        storage_of(store)
    with pytest.raises(StoreError, match=error):
        notebook.studies()
    page = Path(write_report("", "http://127.0.0.1:5000", store)).read_text(encoding="utf-8")
    assert "Left out: studies: an older Optuna made" in page

    command = shlex.split(str(raised.value).partition("upgrade it: ")[2])
    program = Path(sys.executable).with_name(command[0])
    subprocess.run([program, *command[1:]], check=True, capture_output=True)
    storage_of(store)


def test_the_database_of_a_newer_optuna_says_so(store: Store) -> None:
    storage_of(store)
    _set_version(store, "v99.0.0.a")
    now = optuna.__version__.replace(".", r"\.")
    error = f"made sqlite:///{store.root}/optuna.db than the installed {now}; pip install --upgrade optuna$"
    with pytest.raises(StoreError, match=f"^studies: a newer Optuna {error}"):
        storage_of(store)


def _set_version(store: Store, version: str) -> None:
    """Says in the database that another version of Optuna made it."""
    engine = create_engine(store.studies_uri)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))  # noqa: S608
    engine.dispose()
