"""A store in a folder is moved into PostgreSQL: killed in the middle, given again, equal in the end."""

from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import optuna
import psycopg2
import pytest

from library import load_model, open_store
from library.framework.cli.main import main
from library.framework.errors import UserError
from library.framework.registry.overview import overview
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.queries import all_runs
from library.framework.tracking.store import Store
from library.framework.tuning import moving
from library.framework.tuning.search import storage_of
from tests import versions
from tests.postgres import Postgres

ADDRESS = "postgresql://me@127.0.0.1:1/runs"


@pytest.fixture
def folder(three: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """Three versions, a history with values that are no numbers, and a study with a trial of each kind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with start_run(three, "of a name", "history", tags={"tag": "'ü\n%\"", "lock": ""}) as run:
        for step, value in enumerate([1e-300, float("nan"), float("inf"), -float("inf"), 1 / 3]):
            run.log_metrics({"val/loss": value}, step)
        run.log_dataset("points", "digest", {"training": np.zeros((2, 2))})
    study = optuna.create_study(storage=storage_of(three), study_name="s", directions=["minimize"])
    for value in (1 / 3, float("inf"), None):
        trial = study.ask()
        trial.suggest_float("x", 1e-9, 1, log=True)
        trial.report(value or 2, 7)
        if value:
            study.tell(trial, value)
    return three


def contents(store: Store) -> dict[str, Any]:
    """What the store's own readers find, apart from where files are."""
    client = mlflow.MlflowClient()
    experiments = mlflow.search_experiments(view_type=mlflow.entities.ViewType.ALL, order_by=["name"])
    runs = sorted(all_runs(), key=lambda run: run.id)
    named = [(run.id, name) for run in runs for name in run.metrics]
    [model] = mlflow.search_registered_models()
    return {
        "experiments": [(one.experiment_id, one.name, one.tags, one.lifecycle_stage) for one in experiments],
        "runs": list(map(repr, runs)),
        "inputs": [client.get_run(run.id).inputs.to_dictionary() for run in runs],
        "histories": [[repr(dict(one)) for one in client.get_metric_history(*which)] for which in named],
        "model": (model.tags, model.aliases, model.description, model.creation_timestamp),
        "versions": [(one.model, one.version, one.stage, one.run, str(one.score)) for one in overview()],
        "answer": load_model(versions.NAME, "Production").predict(["?"]),
        "trials": optuna.load_study(study_name="s", storage=storage_of(store)).get_trials(),
    }


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def ask(address: str, query: str) -> Any:
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def kill_while_rows_are_copied(command: Sequence[str], address: str, processes: ForkServerContext) -> None:
    """Begins a move, and kills it when most tables are filled."""
    with closing(psycopg2.connect(address)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE optuna.trial_values IN EXCLUSIVE MODE")  # one of the last to be filled
        killed = processes.Process(target=main, args=(command, "make"))
        killed.start()
        while not ask(address, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
            killed.join(0.1)
            assert killed.is_alive()
        killed.kill()
        killed.join()


def check_that_it_can_be_written(new: Store, folder: Path) -> None:
    """Numbers go on after those that were moved."""
    assert versions.register(new, folder, "0") == "4"
    with start_run(new, "another", "run"):
        pass
    study = optuna.create_study(storage=storage_of(new), study_name="t")
    study.tell(study.ask(), 0)


@pytest.mark.slow
def test_a_killed_move_goes_on_and_the_new_store_is_equal_and_can_be_written(
    folder: Store, postgres: Postgres, tmp_path: Path, processes: ForkServerContext, capsys: pytest.CaptureFixture[str]
) -> None:
    address, artifacts = postgres.create("moved"), tmp_path / "new artifacts"
    with open_store(address, artifacts=str(artifacts)) as new:
        storage_of(new)  # else there were no tables to lock
    folder.connect()
    before, kept = contents(folder), files(folder.root / "artifacts")

    def refusal(command: Sequence[str]) -> str:
        assert main(command, "make") == 2
        return capsys.readouterr().err

    command = ["move-store", f"--store={folder}", f"--to={address}", f"--artifacts={artifacts}"]
    (artifacts / "other").write_text("x")
    assert "artifacts holds other, which is not in " in refusal(command)
    (artifacts / "other").unlink()
    kill_while_rows_are_copied(command, address, processes)
    assert files(artifacts) == kept
    assert ask(address, "SELECT count(*) FROM runs") == ask(address, "SELECT count(*) FROM optuna.trials") == 0
    damaged = artifacts / min(kept)
    damaged.write_bytes(bytes(len(kept[min(kept)])))

    for _ in range(2):  # the second time nothing is left to copy
        assert main(command, "make") == 0
        lines = capsys.readouterr().out.splitlines()
        rows = {name: (one, other) for name, one, _, other, _ in map(str.split, lines[1:-3])}
        assert rows["runs"] == ("2", "2")
        assert rows["trials"] == ("3", "3")
        assert rows["files"] == (str(len(kept)), str(len(kept)))
        assert lines[-1] == f"  make models STORE={address} ARTIFACTS='{artifacts}'"
    assert files(artifacts) == kept == files(folder.root / "artifacts")
    folder.connect()
    assert contents(folder) == before
    folder.root.rename(tmp_path / "elsewhere")
    with open_store(address, artifacts=str(artifacts)) as new:
        assert contents(new) == before
        check_that_it_can_be_written(new, tmp_path)
    command[1] = f"--store={tmp_path / 'elsewhere'}"
    assert f"holds something else than {tmp_path / 'elsewhere'} does; give empty databases" in refusal(command)


@pytest.mark.slow
def test_a_store_in_use_is_refused(folder: Store) -> None:
    with folder.lock("study s"), pytest.raises(UserError, match=r"is in use \(study s\); stop the command that"):
        moving.exclusive(folder).__enter__()
    with start_run(folder, "e", "r"), pytest.raises(UserError, match=r"run .*: is running; stop its command first"):
        moving.exclusive(folder).__enter__()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--artifacts=a"], "to: nothing was given; it is postgresql:// of the new store"),
        (["--to=new"], "to: got 'new'; allowed is postgresql://user@host/database"),
        (["--to=http://h:5000"], "to: got 'http://h:5000'; give the database that the server stands on: postgresql://"),
        (["--to=postgresql://me:secret@h/d"], "to: the address has a password in it, which would be shown; give it as"),
        ([f"--to={ADDRESS}"], "artifacts: nothing was given; it is folder or s3:// of"),
        ([f"--to={ADDRESS}", "--artifacts=none/a"], "artifacts: got 'none/a', which is in none; give another folder"),
        ([f"--to={ADDRESS}", "--artifacts=a"], "store none: there is none; train or tune first, or give STORE=folder"),
        ([f"--to={ADDRESS}", "--artifacts=a", "--served=1"], "studies: nothing was given; give STUDIES=postgresql://"),
        (
            [f"--to={ADDRESS}", "--artifacts=a", "--store=http://h"],
            "store: got 'http://h'; allowed is a folder, which is what can be",
        ),
    ],
)
def test_what_cannot_be_moved_is_one_line(
    given: Sequence[str], line: str, refused: Callable[[Sequence[str]], str]
) -> None:
    assert refused(["move-store", "--store=none", *given]).startswith(f"error: {line}")
