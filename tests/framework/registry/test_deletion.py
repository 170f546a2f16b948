"""What is deleted goes from database and disk, is told before, and nothing goes that a registered version needs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import optuna
import pytest

from library import load_model, open_store
from library.framework.cli.main import main
from library.framework.registry.overview import production_history
from library.framework.registry.stages import set_stage
from library.framework.tracking import queries
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from tests import versions


@pytest.fixture
def told(store: Store, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command on the store prints."""

    def run(*arguments: str) -> str:
        assert main([*arguments, f"--store={store.root}"], "make") == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def denied(store: Store, refused: Callable[..., str]) -> Callable[..., str]:
    """What a command on the store is refused with."""
    return lambda *arguments: refused([*arguments, f"--store={store.root}"])


def write(store: Store, name: str, **settings: object) -> str:
    with start_run(store, "tests", name, **settings) as run:
        run.log_json("parts/name.json", "x" * 200_000)
    return run.id


def folders(store: Store) -> set[str]:
    """The names of the folders of runs and logged models."""
    return {path.name for path in store.root.glob("artifacts/**/*") if len(path.name) in (32, 34)}


def test_a_run_goes_with_its_children_after_that_was_told(store: Store, told: Callable[..., str]) -> None:
    parent, other = write(store, "parent"), write(store, "other")
    child = write(store, "child", parent=parent)
    write(store, "grandchild", parent=child)
    would = told("delete", f"--run={parent[:8]}", "--dry-run=1").splitlines()
    assert would[0] == f"would delete run {parent[:8]} (parent), 0.2 MB"
    assert would[-1] == "would free 0.6 MB"
    assert len(folders(store)) == 4
    assert (
        told("delete", f"--run={parent[:8]}")
        == "\n".join(would).replace("would delete", "deletes").replace("would free", "frees") + "\n"
    )
    assert folders(store) == {other}
    assert [run.id for run in queries.all_runs()] == [other]
    assert not mlflow.search_runs(search_all_experiments=True, run_view_type=2, output_format="list")


def test_what_is_running_or_in_production_or_where_a_version_comes_from_is_not_deleted(
    store: Store, tmp_path: Path, told: Callable[..., str], denied: Callable[..., str]
) -> None:
    versions.three(store, tmp_path)
    run = mlflow.MlflowClient().get_model_version(versions.NAME, "1").run_id
    before = folders(store)
    with start_run(store, "tests", "running") as running:
        assert "is running; stop its command first" in denied("delete", f"--run={running.id}")
    error = denied("delete", f"--run={run}")
    assert error.endswith("model 'tiny' version 3 comes from it; delete the version first, or leave the run\n")
    error = denied("delete", "--model=tiny", "--version=3")
    assert error == "error: model 'tiny' version 3: is in Production; promote another or roll back first\n"
    assert denied("delete", "--model=tiny") == denied("delete") == denied("delete", "--run=1", "--study=s")
    assert "no version 9; there is version 3 in Production" in denied("delete", "--model=tiny", "--version=9")
    assert folders(store) - {running.id} == before


def test_versions_go_with_the_files_that_no_other_has_and_history_tells_it(
    store: Store, tmp_path: Path, told: Callable[..., str]
) -> None:
    versions.three(store, tmp_path)  # of the same files
    own = versions.register(store, tmp_path, "01")
    set_stage(versions.NAME, own, force=True)
    shared = {name for name in folders(store) if name.startswith("m-")}
    assert told("delete", "--model=tiny", "--version=3") == "deletes model 'tiny' version 3\nfrees 0.0 kB\n"
    assert versions.stages_now() == {"1": "Archived", "2": "Archived", "4": "Production"}
    assert {name for name in folders(store) if name.startswith("m-")} == shared
    set_stage(versions.NAME, "2", force=True)
    assert told("delete", "--model=tiny", "--version=4").startswith("deletes model 'tiny' version 4, ")
    assert len({name for name in folders(store) if name.startswith("m-")}) == 1
    assert [(one.version, one.reason) for one in production_history(versions.NAME)] == [
        ("1", "forced"),
        ("2", "forced"),
        ("3", "forced; version 3 was deleted"),
        ("4", "forced; version 4 was deleted"),
        ("2", "forced"),
    ]
    assert versions.register(store, tmp_path, "01") == "5"


def test_a_version_deleted_in_mlflows_pages_is_history_too(store: Store, tmp_path: Path) -> None:
    versions.three(store, tmp_path)
    mlflow.MlflowClient().delete_model_version(versions.NAME, "3")
    assert versions.past()[-2:] == [("3", "forced; version 3 was deleted"), (None, "version 3 was deleted")]


def test_a_study_goes_with_its_runs_except_those_of_versions(
    store: Store, tmp_path: Path, told: Callable[..., str], denied: Callable[..., str]
) -> None:
    assert denied("delete", "--study=s").endswith("there is no study\n")
    optuna.create_study(storage=store.studies_uri, study_name="s")
    parent = write(store, "s", tags={"study": "s"})
    write(store, "trial 000", tags={"study": "s"}, parent=parent)
    versions.register(store, tmp_path, "01")
    winner = mlflow.MlflowClient().get_model_version(versions.NAME, "1").run_id
    mlflow.MlflowClient().set_tag(winner, "study", "s")
    with store.lock("study s"):
        assert denied("delete", "--study=s") == "error: study 's': is running; stop its command first\n"
    assert denied("delete", "--study=t").endswith("unknown study 't'; allowed are s\n")
    lines = told("delete", "--study=s").splitlines()
    assert lines[0] == "deletes study s"
    assert lines[-2:] == [f"keeps run {winner[:8]} (run): model 'tiny' version 1 comes from it", "frees 0.4 MB"]
    assert [run.id for run in queries.all_runs()] == [winner]
    assert optuna.get_all_study_names(store.studies_uri) == []


def test_garbage_goes_and_all_else_stays(store: Store, tmp_path: Path, told: Callable[..., str]) -> None:
    client = mlflow.MlflowClient()
    versions.three(store, tmp_path)
    needed = client.get_model_version(versions.NAME, "1").run_id
    kept, deleted = write(store, "kept"), write(store, "deleted")
    with start_run(store, "gone", "of a deleted experiment") as run:
        run.log_json("a.json", 1)
    client.delete_run(deleted)
    client.delete_run(needed)
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    stray = store.root / "artifacts" / "tests" / ("0" * 32)
    stray.mkdir()
    for other in ("artifacts/tests/mine", "cats", "tmp12345678"):
        (store.root / other).mkdir()
    with store.lock("study free"):
        pass
    before = folders(store)
    would = told("gc", "--dry-run=1")
    assert folders(store) == before
    assert f"would delete run {deleted[:8]} (deleted), 0.2 MB\n" in would
    assert f"keeps run {needed[:8]} (run): model 'tiny' version 3 comes from it\n" in would
    with start_run(store, "tests", "running") as running, store.lock("study held"):
        done = told("gc")
        assert {path.name for path in store.root.glob("locks/*")} >= {"study held", "registry"}
        assert len(list(store.root.glob("locks/run-*"))) == 1
    assert "deletes experiment gone\n" in done
    assert "deletes artifacts/tests/00000000000000000000000000000000, of no run\n" in done
    assert "deletes tmp12345678, left by a dead process\n" in done
    assert before - folders(store) == {deleted, run.id, stray.name}
    assert {path.name for path in store.root.glob("artifacts/*")} == {"tests"}
    assert (store.root / "artifacts" / "tests" / "mine").exists() and (store.root / "cats").exists()
    assert {one.id for one in queries.all_runs()} == {kept, running.id}
    assert not (store.root / "locks" / "study free").exists()
    client.restore_run(needed)
    assert versions.stages_now()["3"] == "Production"
    assert told("gc").startswith("deletes lock files of nobody: ")


@pytest.mark.parametrize(("name", "beside"), [("my%20runs", "my runs"), ("a#b", "a"), ("a?b", "a")])
def test_only_files_of_the_store_go_whatever_its_name(name: str, beside: str, three_path: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(three_path, tmp_path / beside))
    before = set(other.rglob("*"))
    with open_store(shutil.copytree(three_path, tmp_path / name)) as store:
        kept, client = folders(store), mlflow.MlflowClient()
        client.delete_logged_model(client.get_model_version(versions.NAME, "3").source.removeprefix("models:/"))
        fourth = client.get_model_version(versions.NAME, versions.register(store, tmp_path, "1"))
        assert main(["delete", "--model=tiny", "--version=4", f"--store={store.root}"], "make") == 0
        assert folders(store) == kept | {fourth.run_id}
        assert main(["gc", f"--store={store.root}"], "make") == 0
        assert folders(store) == kept | {fourth.run_id}
        assert list(load_model(versions.NAME).predict(["?"])) == ["2"]
    assert set(other.rglob("*")) == before
