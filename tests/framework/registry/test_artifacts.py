"""Registering, promoting and loading, against a real registry."""

import os
import shutil
import warnings
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

import mlflow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from library import load_model, open_store
from library.framework.cli.main import main
from library.framework.errors import NotRegistered, UserError
from library.framework.experiment import TestResult
from library.framework.registry import artifacts
from library.framework.registry.artifacts import find_version, load_version, params_of
from library.framework.registry.stages import promote_if_better, set_stage
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from tests.tiny import Tiny
from tests.versions import NAME, aliases, register, stages_now

HINTLESS = '''"""A question of any kind in, `2` out.

MLflow keeps this file.
"""

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Two(PythonModel):
    def predict(self, context, model_input, params=None):
        return ["2"] * len(model_input)


set_model(Two())
'''


def test_a_version_tells_where_it_came_from_and_what_it_scored(store: Store, tmp_path: Path) -> None:
    version = mlflow.MlflowClient().get_model_version(NAME, register(store, tmp_path, "01"))
    assert version.tags["study"] == "s"
    assert (version.tags["score"], version.tags["test/mean_score"]) == ("test/mean_score", "0.5")
    assert "test/accuracy" not in version.tags  # other scores are its run's
    assert len(version.tags["artifact.digest"]) == 64
    assert mlflow.get_run(version.run_id).info.status == "FINISHED"


def test_a_version_and_its_model_tell_what_they_are_take_and_give(store: Store, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(HINTLESS)
    scored, package = TestResult({}, {}), Tiny(units=2).package(None, tmp_path)
    with start_run(store, "tests", "run"), warnings.catch_warnings(record=True) as caught:
        first = artifacts.register(NAME, package, scored, {}, "Counts its units.\n\nNot shown.")
        text = replace(package, code=tmp_path / "code.py", example_output=["2"], untyped_input=True)
        second = artifacts.register(NAME, text, scored, {}, "Another.")
        assert load_version(mlflow.MlflowClient().get_model_version(NAME, second)).predict(["?"]) == ["2"]
    assert [one for one in caught if "type hints" in str(one.message)] == []
    about = "Counts its units.\n\nTakes `[string (required)]` and gives `[string (required)]`, as in `predict(['?'])`."
    client = mlflow.MlflowClient()
    assert client.get_registered_model(NAME).description == about
    assert client.get_model_version(NAME, first).description == about
    assert client.get_model_version(NAME, second).description == "Another.\n\nA question of any kind in, `2` out."


def load_in(folder: Path) -> None:
    os.chdir(folder)
    assert load_model(NAME, stage="Production").predict(["?"]) == ["2"]


@pytest.mark.slow
def test_without_an_open_store_the_one_of_the_folder_is_used(
    three: Store, tmp_path: Path, processes: ForkServerContext
) -> None:
    (tmp_path / "mlruns").symlink_to(three.root)
    loading = processes.Process(target=load_in, args=(tmp_path,))
    loading.start()
    loading.join()
    assert loading.exitcode == 0


def test_a_candidate_that_does_not_stays_in_staging_with_the_reason(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "0" * 5 + "1" * 5))
    for right in ("0" * 5 + "1" * 5, "0" * 10, "1" * 5 + "0" * 5):
        version = register(store, tmp_path, right)
        promotion = promote_if_better(NAME, version)
        assert promotion.stage == "Staging"
        assert promotion.reason.startswith("does not beat version 1 by more than chance: better on")
        earlier = [str(number) for number in range(2, int(version))]
        assert stages_now() == {"1": "Production", **dict.fromkeys(earlier, "Archived"), version: "Staging"}
        assert aliases() == {"production": "1", "staging": version, **({"archived": earlier[-1]} if earlier else {})}


def test_one_version_a_stage(three: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(three, tmp_path, "01"))
    assert stages_now() == {"1": "Archived", "2": "Archived", "3": "Production", "4": "Staging"}
    set_stage(NAME, "2", force=True)
    assert stages_now() == {"1": "Archived", "2": "Production", "3": "Archived", "4": "Staging"}
    assert aliases() == {"archived": "3", "production": "2", "staging": "4"}


def test_what_does_not_exist_is_one_line_that_says_what_does(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotRegistered, match=r"^model 'tiny': not registered; train or tune first$"):
        load_model(NAME)
    register(store, tmp_path, "01")
    with pytest.raises(NotRegistered, match=r"no version in stage Production; there is version 1 in no stage$"):
        load_model(NAME)
    promote_if_better(NAME, "1")
    with pytest.raises(NotRegistered, match=r"^model 'tony': not registered; there is tiny$"):
        load_model("tony")
    with pytest.raises(NotRegistered, match=r"^model 'tiny': no version 2; there is version 1 in Production$"):
        promote_if_better(NAME, "2")
    with pytest.raises(NotRegistered, match="no version in stage Staging; there is version 1 in Production"):
        load_model(NAME, "Staging")
    aliases = "Staging, Production, Archived, or an alias of model 'tiny': {}$"
    with pytest.raises(UserError, match=f"^stage: got 'Prod'; allowed are {aliases.format('it has none')}"):
        load_model(NAME, "Prod")
    mlflow.MlflowClient().set_registered_model_alias(NAME, "champion", "1")
    with pytest.raises(UserError, match=f"^stage: got 'Prod'; allowed are {aliases.format('champion')}"):
        load_model(NAME, "Prod")
    with pytest.raises(NotRegistered, match=r"^model 'tiny': no version 2; there is version 1 in Production$"):
        load_model(NAME, version=2)
    with pytest.raises(UserError, match="stage: got 'None'"):
        set_stage(NAME, "1", "None")


def test_a_version_is_found_by_stage_alias_or_number(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    mlflow.MlflowClient().set_registered_model_alias(NAME, "Champion", "2")
    asked = [{}, {"stage": "PRODUCTION"}, {"stage": "champion"}, {"version": 1}, {"stage": "archived"}]
    assert [int(find_version(NAME, **one).version) for one in asked] == [3, 3, 2, 1, 2]  # type: ignore[arg-type]
    assert load_model(NAME, version=1).predict(["?"]) == ["2"]
    line = ["generate", f"--model={NAME}", f"--out={three.root}/cats.png", f"--store={three.root}"]
    assert main(line, "make") == 2
    assert capsys.readouterr().err == "error: model: got 'tiny', which draws no cats; allowed is such as cats-vae\n"
    assert set_stage(NAME, "1", "STAGING", force=True).stage == "Staging"


def test_what_loading_leaves_behind_does_not_count_and_is_not_run(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "01"))
    (served,) = store.root.rglob("tiny_served.py")
    (served.parent / "__pycache__").mkdir(exist_ok=True)
    (served.parent / "__pycache__" / "tiny_served.cpython-311.pyc").write_bytes(b"not what was registered")
    assert [load_model(NAME).predict(["?"]) for _ in range(2)] == [["2"], ["2"]]


def test_files_that_are_not_those_registered_are_refused(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "01"))
    (served,) = store.root.rglob("units.txt")
    served.write_text("99")
    with pytest.raises(UserError, match="version 1: its files are not those that were registered"):
        load_model(NAME)
    served.unlink()
    with pytest.raises(UserError, match="version 1: its files are not those that were registered"):
        load_model(NAME)
    shutil.rmtree(served.parents[1])
    with pytest.raises(
        UserError, match=r"^model 'tiny' version 1: its files cannot be read from .*/artifacts: [^\n]+$"
    ):
        load_model(NAME)


def test_the_champion_is_not_compared_with_itself(three: Store) -> None:
    with pytest.raises(UserError, match=r"^model 'tiny' version 3: is in Production already$"):
        promote_if_better(NAME, "3")
    assert stages_now() == {"1": "Archived", "2": "Archived", "3": "Production"}


def test_where_scores_are_lost_the_champion_stays(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "0" * 10))
    [kept] = store.root.rglob("outcomes.json")
    kept.unlink()
    promotion = promote_if_better(NAME, register(store, tmp_path, "1" * 10))
    reason = "has no test example in common with version 1, which stays"
    assert (promotion.stage, promotion.reason) == ("Staging", reason)


def test_a_full_disk_while_a_model_is_logged_registers_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.store.artifact.local_artifact_repo.LocalArtifactRepository.log_artifacts", full)
    with pytest.raises(OSError, match="No space left"):
        register(store, tmp_path, "01")
    assert stages_now() == {}


def is_a_name(text: str) -> bool:
    return text not in (".", "..") and len(os.fsencode(text)) <= 255


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(is_a_name)


@settings(max_examples=8, deadline=None)
@example(name="my%20runs")
@example(name="a%2Fb%00")
@given(name=NAMES)
def test_a_store_of_any_name_has_the_models_that_came_with_it_and_those_made_there(
    name: str, three_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("named")
    with open_store(shutil.copytree(three_path, folder / name)) as store:
        came, made = load_model(NAME), load_model(NAME, version=int(register(store, folder, "11")))
        assert list(came.predict(["?"])) == ["2"]
        assert list(made.predict(["?"])) == ["2"]
        assert params_of(find_version(NAME)) == set()
    assert [path.name for path in folder.iterdir() if path.is_dir()] == [name]
