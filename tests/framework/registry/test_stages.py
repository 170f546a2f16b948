"""The life of a version: promoted, archived, rolled back, taken over, remembered."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest

from library import load_model, open_store
from library.framework.errors import NotRegistered, UserError
from library.framework.registry import history
from library.framework.registry.artifacts import find_version
from library.framework.registry.history import ProductionPeriod
from library.framework.registry.overview import overview, production_history
from library.framework.registry.stages import Promotion, promote_if_better, rollback, set_stage
from library.framework.tracking.store import Store
from tests.versions import NAME, aliases, clone, past, register, stages_now, transition
from tests.versions import three as register_three

BEGUN = datetime(2026, 7, 1, tzinfo=UTC)


def test_a_promotion_by_hand_is_judged_unless_forced(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "0" * 10))
    register(store, tmp_path, "1" * 10)
    register(store, tmp_path, "1" * 10)
    assert set_stage(NAME, "2").reason.startswith("beats version 1: better on 10, worse on 0 of 10")
    with pytest.raises(UserError, match=r"version 3: does not beat version 2 by .*; FORCE=1 does it regardless$"):
        set_stage(NAME, "3")
    assert stages_now() == {"1": "Archived", "2": "Production", "3": "None"}
    assert set_stage(NAME, "3", "Staging").reason == "asked for"
    assert set_stage(NAME, "3", force=True).reason == "forced"
    assert stages_now() == {"1": "Archived", "2": "Archived", "3": "Production"}
    assert aliases() == {"archived": "2", "production": "3"}


def test_archived_and_failed_versions_are_refused_unless_forced(store: Store, tmp_path: Path) -> None:
    first = register(store, tmp_path, "01")
    clone(first, 3)
    set_stage(NAME, "2", "Archived")
    with closing(sqlite3.connect(store.root / "mlflow.db")) as database, database:
        database.execute("UPDATE model_versions SET status = 'FAILED_REGISTRATION' WHERE version = 3")
    mlflow.MlflowClient().set_terminated(mlflow.MlflowClient().get_model_version(NAME, "1").run_id, "FAILED")
    reasons = {"1": "its run .* ended FAILED", "2": "is archived", "3": "was not registered in full"}
    for version, reason in reasons.items():
        for stage in ("Staging", "Production"):
            with pytest.raises(UserError, match=f"^model 'tiny' version {version}: {reason}.*; FORCE=1"):
                set_stage(NAME, version, stage)
        assert set_stage(NAME, version, force=True).stage == "Production"


def test_production_is_not_left_without_a_version_unless_forced(three: Store) -> None:
    for stage in ("Staging", "Archived"):
        with pytest.raises(UserError, match="version 3: is in Production, and none would be left there"):
            set_stage(NAME, "3", stage)
    with pytest.raises(UserError, match=r"version 2: is in Archived already$"):
        set_stage(NAME, "2", "Archived")
    with pytest.raises(UserError, match=r"version 3: is in Production already$"):
        set_stage(NAME, "3", force=True)
    set_stage(NAME, "3", "Archived", force=True)
    with pytest.raises(NotRegistered, match="no version in stage Production; there is version 3 in Archived"):
        load_model(NAME)
    assert aliases() == {"archived": "3"}
    assert past()[-1] == (None, "version 3 went to Archived")
    assert rollback(NAME).version == "3"


def test_files_that_changed_go_nowhere_even_if_forced(store: Store, tmp_path: Path) -> None:
    register(store, tmp_path, "01")
    next(store.root.rglob("units.txt")).write_text("99")
    with pytest.raises(UserError, match="version 1: its files are not those that were registered"):
        set_stage(NAME, "1", force=True)
    assert stages_now() == {"1": "None"}


def test_a_rollback_goes_back_step_by_step(three: Store) -> None:
    assert rollback(NAME) == Promotion("2", "Production", "rolled back from 3")
    assert stages_now() == {"1": "Archived", "2": "Production", "3": "Archived"}
    assert rollback(NAME).version == "1"
    with pytest.raises(UserError, match="no other version was in Production before"):
        rollback(NAME)
    set_stage(NAME, "3", force=True)
    assert rollback(NAME).version == "1"
    assert [version for version, _ in past()] == ["1", "2", "3", "2", "1", "3", "1"]


def test_what_a_rollback_left_comes_back_if_it_beats_the_champion(store: Store, tmp_path: Path) -> None:
    for right in ("0" * 10, "1" * 10, "0" * 10):
        promote_if_better(NAME, register(store, tmp_path, right))
    rollback(NAME)
    reason = "back after a rollback: beats version 1: better on 10, worse on 0 of 10 common test examples, p = 0.002"
    assert (set_stage(NAME, "2").reason, past()[-1]) == (reason, ("2", reason))
    set_stage(NAME, "3", force=True)
    rollback(NAME)
    with pytest.raises(UserError, match=r"version 3: does not beat version 2 by more than chance: .*; FORCE=1"):
        set_stage(NAME, "3")
    with pytest.raises(UserError, match="version 1: is archived; FORCE=1"):
        set_stage(NAME, "1")
    assert set_stage(NAME, "3", "Staging").reason == "asked for"


def test_a_rollback_passes_over_what_was_deleted_and_refuses_what_was_changed(store: Store, tmp_path: Path) -> None:
    register_three(store, tmp_path)
    mlflow.MlflowClient().delete_model_version(NAME, "2")
    assert rollback(NAME).version == "1"
    set_stage(NAME, "3", force=True)
    next(store.root.rglob("units.txt")).write_text("99")
    with pytest.raises(UserError, match="version 1: its files are not those that were registered"):
        rollback(NAME)
    assert stages_now() == {"1": "Archived", "3": "Production"}


def test_the_history_says_who_when_and_why_and_travels_with_the_store(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "0" * 10))
    promote_if_better(NAME, register(store, tmp_path, "1" * 10))
    assert stages_now() == {"1": "Archived", "2": "Production"}
    assert aliases() == {"archived": "1", "production": "2"}
    before = production_history(NAME)
    assert mlflow.MlflowClient().get_model_version(NAME, "2").tags["promotion"] == before[1].reason
    assert [(one.version, one.reason) for one in before] == [
        ("1", "the first version: there was no champion to beat"),
        ("2", "beats version 1: better on 10, worse on 0 of 10 common test examples, p = 0.002"),
    ]
    assert before[0].until == before[1].since <= datetime.now(UTC)
    assert before[1].until is None
    with open_store(Path(shutil.copytree(store.root, tmp_path / "elsewhere"))):
        assert production_history(NAME) == before


@pytest.mark.parametrize(
    ("periods", "line"),
    [
        ([("1", ""), ("2", ""), ("3", "")], ["1", "2", "3"]),
        ([("1", ""), ("2", ""), ("1", "rolled back from 2")], ["1"]),
        ([("1", ""), ("2", ""), ("1", "forced")], ["1", "2", "1"]),
        ([("1", ""), ("2", ""), (None, ""), ("2", "rolled back from none")], ["1", "2"]),
        ([], []),
    ],
)
def test_what_was_rolled_back_is_not_gone_back_to(periods: list[tuple[str | None, str]], line: list[str]) -> None:
    assert history.lineage([ProductionPeriod(version, BEGUN, None, reason) for version, reason in periods]) == line


def test_what_was_changed_by_other_means_is_taken_over(three: Store) -> None:
    transition("2", "Production")  # beside 3, as MLflow's pages can
    overview()
    assert stages_now() == {"1": "Archived", "2": "Archived", "3": "Production"}
    transition("3", "Archived")
    transition("1", "Production")
    overview()
    assert past()[-1] == ("1", history.UNKNOWN)
    assert aliases() == {"archived": "3", "production": "1"}


def test_an_alias_that_was_moved_by_other_means_is_followed(three: Store) -> None:
    mlflow.MlflowClient().set_registered_model_alias(NAME, "production", "1")
    with pytest.raises(UserError, match="is in Production already"):
        set_stage(NAME, "1")
    assert (stages_now()["1"], aliases()["production"]) == ("Production", "1")
    assert past()[-1] == ("1", "its alias production was moved by other means")
    mlflow.MlflowClient().delete_registered_model_alias(NAME, "production")
    set_stage(NAME, "2", force=True)
    assert (stages_now()["2"], aliases()["production"], past()[-1]) == ("Production", "2", ("2", "forced"))


def test_what_is_in_production_follows_an_alias_before_and_after_the_stage_does(three: Store) -> None:
    mlflow.MlflowClient().set_registered_model_alias(NAME, "production", "1")
    assert (find_version(NAME).version, stages_now()["3"]) == (1, "Production")
    assert [one.version for one in overview() if one.stage == "Production"] == ["1"]
    assert (find_version(NAME).version, stages_now()["1"]) == (1, "Production")


def test_the_runs_of_versions_are_found_by_the_stage_that_these_are_in_now(store: Store, tmp_path: Path) -> None:
    client = mlflow.MlflowClient()

    def tagged() -> list[str | None]:
        return [client.get_run(run).data.tags.get("stage") for run in runs]

    runs = [client.get_model_version(NAME, register(store, tmp_path, right)).run_id for right in ("01", "01", "11")]
    for version, run in enumerate(runs[:2], start=1):  # as a training does; the third's may be of an older program
        client.set_tag(run, "version", version)
        set_stage(NAME, str(version), force=True)
    assert tagged() == ["Archived", "Production", None]
    rollback(NAME)
    assert tagged() == ["Production", "Archived", None]
    transition("2", "Production")
    transition("1", "Archived")  # by hand in MLflow's pages, known to the next command
    client.delete_run(runs[2])
    set_stage(NAME, "3", "Staging", force=True)
    assert tagged() == ["Archived", "Production", None]


def test_a_quote_in_a_name_and_tags_that_another_hand_spoiled_are_no_error(three: Store) -> None:
    client = mlflow.MlflowClient()
    for number, value in enumerate(("9 version 3: x", "2026-13-01T00:00:00+00:00 none: x", "2026-01-01 none: x"), 4):
        client.set_registered_model_tag(NAME, f"production.{number:04}", value)
    assert [version for version, _ in past()] == ["1", "2", "3"]
    for key, value in {"artifact.bytes": "many", "test/mean_score": "good", "score": "test/mean_score"}.items():
        client.set_model_version_tag(NAME, "3", key, value)
    client.rename_registered_model(NAME, "it's")
    newest = overview()[0]
    assert (newest.model, newest.version, newest.bytes, newest.score) == ("it's", "3", None, None)
    assert rollback("it's").version == "2"
    assert load_model("it's").predict(["?"]) == ["2"]


def test_versions_are_moved_in_the_open_store_whatever_address_mlflow_has(store: Store, tmp_path: Path) -> None:
    register(store, tmp_path, "01")
    mlflow.set_tracking_uri("http://127.0.0.1:1")
    assert set_stage(NAME, "1").stage == "Production"
    assert stages_now() == {"1": "Production"}
