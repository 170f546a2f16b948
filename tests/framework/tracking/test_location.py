"""A store in a folder of any name, and one that was moved, copied or linked: all that it holds is where it is now."""

import os
import shutil
from pathlib import Path

import mlflow
import optuna
import pytest
from filelock import Timeout

from library import open_store
from library.framework.errors import UserError
from library.framework.tracking import queries
from library.framework.tracking.mlflow_run import start_run

NAMES = ["what?", "my%20runs", "a#b & c=d", 'it\'s "ü"', "~", "a\\b", "two\nlines"]


def written(root: Path, name: str) -> str:
    """The id of a run with a file that has its name."""
    with open_store(root) as store, start_run(store, "an experiment", name) as run:
        run.log_json("parts/name.json", name)
        return run.id


def read(root: Path, *runs: str) -> list[str]:
    open_store(root)
    return [queries.read_json(run, "parts/name.json") for run in runs]


def files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("name.json")}


@pytest.mark.parametrize("name", NAMES)
def test_a_store_is_in_the_folder_of_its_name_and_nowhere_else(name: str, store_path: Path, tmp_path: Path) -> None:
    root = tmp_path / "stores" / name
    root.parent.mkdir()
    store_path.rename(root)
    run = written(root, "a")
    with open_store(root) as store:
        optuna.create_study(storage=store.studies_uri, study_name="s")
    assert read(root, run) == ["a"]
    assert {"mlflow.db", "optuna.db", "artifacts"} <= {path.name for path in root.iterdir()}
    assert [path.name for path in root.parent.iterdir()] == [name]
    assert len(files(root)) == 1


def test_a_moved_store_has_what_it_had_and_makes_nothing_where_it_was(store_path: Path, tmp_path: Path) -> None:
    before = written(store_path, "before")
    moved = store_path.rename(tmp_path / "moved #1")
    assert read(moved, before) == ["before"]
    after = written(moved, "after")
    assert read(moved, before, after) == ["before", "after"]
    assert len(files(moved)) == 2
    assert not store_path.exists()


def test_a_copy_is_a_store_of_its_own(store_path: Path, tmp_path: Path) -> None:
    run = written(store_path, "both")
    copy = Path(shutil.copytree(store_path, tmp_path / "copy"))
    shutil.copytree(store_path, tmp_path / "kept")
    ours = written(copy, "ours")
    assert files(store_path) == files(tmp_path / "kept")
    shutil.rmtree(store_path)
    assert read(copy, run, ours) == ["both", "ours"]


def test_a_link_to_a_store_is_that_store(store_path: Path, tmp_path: Path) -> None:
    run = written(store_path, "a")
    (tmp_path / "link").symlink_to(store_path)
    other = written(tmp_path / "link", "b")
    assert read(store_path, run, other) == ["a", "b"]
    [experiment] = mlflow.search_experiments(filter_string="name = 'an experiment'")
    assert experiment.artifact_location.startswith(store_path.as_uri())


def test_variables_of_the_environment_lead_nothing_elsewhere(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(variable, other)
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    run = written(store_path, "ours")
    assert read(store_path, run) == ["ours"]
    mlflow.MlflowClient().create_registered_model("model")
    assert not (tmp_path / "other.db").exists()
    assert mlflow.MlflowClient(registry_uri=f"sqlite:///{store_path}/mlflow.db").get_registered_model("model")


@pytest.mark.parametrize("name", ["a" * 200, "ü" * 200])
def test_a_lock_may_have_a_long_name(name: str, store_path: Path) -> None:
    with open_store(store_path) as store, store.lock(f"study {name}").acquire(timeout=0):
        assert store.lock(f"study {name}").lock_file != store.lock("study b").lock_file
        with pytest.raises(Timeout):
            store.lock(f"study {name}").acquire(timeout=0)


def test_a_folder_whose_path_is_no_text_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"not \xff text")
    with pytest.raises(UserError, match="text in UTF-8"):
        open_store(root)
    assert list(tmp_path.iterdir()) == []
