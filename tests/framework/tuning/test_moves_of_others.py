"""Our commands on one store in turn with random moves of MLflow's and Optuna's own tools: one line, and our laws hold.

The moves are those of MLflow's pages and client, of `mlflow gc`, and of Optuna's storage.
"""

import contextlib
import io
import shutil
import sqlite3
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from mlflow.cli import gc
from mlflow.exceptions import MlflowException

from library import Comparison, load_model, open_store
from library.framework.cli.main import main
from library.framework.errors import UserError
from library.framework.options import StudyOptions
from library.framework.registry.overview import production_history
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from tests import tiny, versions
from tests.tiny import Tiny

PICK = st.integers(0, 999)
STAGES = ("None", "Staging", "Production", "Archived")
NAMES = ("tiny", "other", "it's", 'a "b" it\'s', "50%_", "größe", "x y")
TEXTS = ("", "0", "-1", "nan", "x", "1 2 3", "it's 100%", "2026-07-01T10:00:00+00:00 version 9: by hand")
RUN_TAGS = (
    "process", "lock", "reason", "study", "trial", "study.run", "comparison", "stage", "version", "model", "repeats",
    "data.digest", "command", "best_epoch", "mlflow.parentRunId", "mlflow.note.content", "git.commit", "resumed", "my",
)  # fmt: skip
VERSION_TAGS = ("score", "test/accuracy", "test/accuracy_low", "artifact.digest", "artifact.bytes", "promotion", "my")
MODEL_TAGS = ("promoting", "production.0001", "production.0002", "production.0009", "my")
SIZES = Comparison(experiment=Tiny, metric="test/accuracy", along=("units", (2, 3)), fields={"epochs": 1})

trains = precondition(lambda self: self.trains)


def pick(among: Any, number: int) -> Any:
    """One of what there is, in a stable order."""
    found = list(among)
    return found[number % len(found)] if found else None


class Moves(RuleBasedStateMachine):
    """Our commands, with names that begin with `we`, and moves of others, on a store that holds some of everything."""

    def __init__(self, prepared: Path, folder: Path, trains: bool = True) -> None:
        super().__init__()
        self.trains = trains
        self.root = Path(shutil.copytree(prepared, folder / uuid.uuid4().hex))
        self.histories: dict[int, list[tuple[str | None, Any]]] = {}
        with open_store(self.root):
            self.client = mlflow.MlflowClient()

    # What there is.

    def models(self) -> list[Any]:
        return sorted(self.client.search_registered_models(), key=lambda one: one.name)

    def versions(self) -> list[Any]:
        return sorted(self.client.search_model_versions(), key=lambda one: (one.name, int(one.version)))

    def experiments(self) -> list[Any]:
        return [one for one in self.client.search_experiments(view_type=3) if one.experiment_id != "0"]

    def runs(self) -> list[Any]:
        ids = [one.experiment_id for one in self.client.search_experiments(view_type=3)]
        return sorted(self.client.search_runs(ids, run_view_type=3), key=lambda one: one.info.start_time)

    # Ours.

    @rule(
        command=st.sampled_from(["models", "runs", "gc", "report", "history", "rollback", "promote", "archive"]),
        options=st.sampled_from([(), ("--json=1",), ("--force=1",), ("--stage=staging",), ("--experiment=tiny",)]),
        name=st.one_of(PICK, st.sampled_from(NAMES)),
        number=PICK,
    )
    def we_call(self, command: str, options: tuple[str, ...], name: int | str, number: int) -> None:
        arguments = [command, *options]
        if command in ("history", "rollback", "promote", "archive"):
            known = pick(self.models(), name) if isinstance(name, int) else None
            arguments.append(
                f"--model={known.name if known else 'tiny'}" if isinstance(name, int) else f"--model={name}"
            )
        if command in ("promote", "archive"):
            arguments.append(f"--version={1 + number % 4}")
        self.call(*arguments)

    @rule(what=st.sampled_from(["run", "version", "study"]), number=PICK, dry=st.booleans())
    def we_delete(self, what: str, number: int, dry: bool) -> None:
        run, version = pick(self.runs(), number), pick(self.versions(), number)
        options = {
            "run": [f"--run={run.info.run_id[:10]}" if run else "--run=abc"],
            "version": [f"--model={version.name}", f"--version={version.version}"] if version else ["--model=tiny"],
            "study": ["--study=tiny"],
        }[what]
        self.call("delete", *options, *(["--dry-run=1"] if dry else []))

    @rule(right=st.text("01", min_size=2, max_size=2))
    def we_register(self, right: str) -> None:
        with self.ours() as store:
            versions.register(store, self.root.parent, right)

    @trains
    @rule(units=st.integers(2, 4))
    def we_train(self, units: int) -> None:
        with self.ours() as store:
            Tiny(units=units, epochs=1).train(store)

    @trains
    @rule()
    def we_tune(self) -> None:
        with self.ours() as store:
            tune(Search(Tiny(), tiny.space, (), StudyOptions(trials=1, workers=1, study="tiny"), store))

    @trains
    @rule()
    def we_compare(self) -> None:
        with self.ours() as store:
            SIZES.run(store, "sizes")

    @rule(name=PICK, stage=st.sampled_from(["Production", "staging", "production", "champion", ""]), number=PICK)
    def we_load(self, name: int, stage: str, number: int) -> None:
        found = pick(self.models(), name)
        with self.ours():
            model = load_model(found.name if found else "tiny", stage, 0 if stage else 1 + number % 4)
            assert len(model.predict(["?"])) == 1

    @rule(number=PICK)
    def we_repeat(self, number: int) -> None:
        run = pick(self.runs(), number)
        self.call("repeat", f"--run={run.info.run_id if run else 'abc'}")

    # Others'.

    @rule(number=PICK)
    def delete_or_restore_experiment(self, number: int) -> None:
        if one := pick(self.experiments(), number):
            is_deleted = one.lifecycle_stage == "deleted"
            self.other("restore_experiment" if is_deleted else "delete_experiment", one.experiment_id)

    @rule(number=PICK, name=st.sampled_from(NAMES))
    def rename_experiment(self, number: int, name: str) -> None:
        if one := pick(self.experiments(), number):
            self.other("rename_experiment", one.experiment_id, name)

    @rule(number=PICK)
    def delete_or_restore_run(self, number: int) -> None:
        if one := pick(self.runs(), number):
            self.other("restore_run" if one.info.lifecycle_stage == "deleted" else "delete_run", one.info.run_id)

    @rule(number=PICK, status=st.sampled_from(["RUNNING", "FAILED", "KILLED", "SCHEDULED", "FINISHED"]))
    def change_run(self, number: int, status: str) -> None:
        if one := pick(self.runs(), number):
            self.other("update_run", one.info.run_id, status, "it's 100% [b]")
            self.other("log_metric", one.info.run_id, "val/loss", float("nan"), step=9)

    @rule(number=PICK, name=st.sampled_from(NAMES))
    def rename_model(self, number: int, name: str) -> None:
        if one := pick(self.models(), number):
            self.other("rename_registered_model", one.name, name)

    @rule(number=PICK)
    def delete_model(self, number: int) -> None:
        if (one := pick(self.models(), number)) and number % 3 == 0:
            self.other("delete_registered_model", one.name)

    @rule(number=PICK)
    def delete_version(self, number: int) -> None:
        if one := pick(self.versions(), number):
            self.other("delete_model_version", one.name, one.version)

    @rule(number=PICK, stage=st.sampled_from(STAGES), archive=st.booleans())
    def move_stage(self, number: int, stage: str, archive: bool) -> None:
        if one := pick(self.versions(), number):
            archive &= stage in ("Staging", "Production")
            self.other("transition_model_version_stage", one.name, one.version, stage, archive)

    @rule(number=PICK, alias=st.sampled_from(["production", "Production", "staging", "archived", "champion", "x-1"]))
    def set_alias(self, number: int, alias: str) -> None:
        if one := pick(self.versions(), number):
            self.other("set_registered_model_alias", one.name, alias, one.version)

    @rule(number=PICK, alias=st.sampled_from(["production", "staging", "archived", "champion"]))
    def delete_alias(self, number: int, alias: str) -> None:
        if one := pick(self.models(), number):
            self.other("delete_registered_model_alias", one.name, alias)

    @rule(number=PICK, key=st.sampled_from(RUN_TAGS), text=st.one_of(st.none(), PICK, st.sampled_from(TEXTS)))
    def tag_run(self, number: int, key: str, text: int | str | None) -> None:
        if one := pick(self.runs(), number):
            value = pick(self.runs(), text).info.run_id if isinstance(text, int) else text
            self.tag("tag", (one.info.run_id,), key, value)

    @rule(number=PICK, key=st.sampled_from(VERSION_TAGS), text=st.one_of(st.none(), st.sampled_from(TEXTS)))
    def tag_version(self, number: int, key: str, text: str | None) -> None:
        if one := pick(self.versions(), number):
            self.tag("model_version_tag", (one.name, one.version), key, text)

    @rule(number=PICK, key=st.sampled_from(MODEL_TAGS), text=st.one_of(st.none(), st.sampled_from(TEXTS)))
    def tag_model(self, number: int, key: str, text: str | None) -> None:
        if one := pick(self.models(), number):
            self.tag("registered_model_tag", (one.name,), key, text)
            if key != "my":  # whoever changes the history itself changes what is known
                self.histories.pop(one.creation_timestamp, None)

    @rule()
    def mlflow_gc(self) -> None:
        CliRunner().invoke(gc, ["--backend-store-uri", f"sqlite:///{self.root}/mlflow.db"])

    @rule(trial=st.booleans())
    @precondition(lambda self: (self.root / "optuna.db").exists())
    def delete_study_or_trial(self, trial: bool) -> None:
        storage = f"sqlite:///{self.root}/optuna.db"
        for name in optuna.get_all_study_names(storage):
            if not trial:
                optuna.delete_study(study_name=name, storage=storage)
        if trial:
            with contextlib.closing(sqlite3.connect(self.root / "optuna.db")) as database, database:
                for table in ("params", "values", "intermediate_values", "user_attributes", "system_attributes"):
                    own = "WHERE trial_id IN (SELECT trial_id FROM trials WHERE number = 0)"
                    database.execute(f"DELETE FROM trial_{table} {own}")  # noqa: S608
                database.execute("DELETE FROM trials WHERE number = 0")

    # What they are made of.

    def other(self, method: str, *arguments: Any, **named: Any) -> None:
        """A move that MLflow itself may refuse."""
        with contextlib.suppress(MlflowException), warnings.catch_warnings(action="ignore", category=FutureWarning):
            getattr(self.client, method)(*arguments, **named)

    def tag(self, kind: str, of: tuple[str, ...], key: str, text: str | None) -> None:
        self.other(f"delete_{kind}", *of, key) if text is None else self.other(f"set_{kind}", *of, key, text)

    def call(self, *arguments: str) -> str:
        """What a command prints; it succeeds, or is refused with one line."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([*arguments, f"--store={self.root}"], "make")
        error = err.getvalue()
        assert status == 0 or (status == 2 and error.startswith("error: ") and error.count("\n") == 1), (status, error)
        if arguments != ("models",):
            self.check_laws()
        return out.getvalue()

    @contextlib.contextmanager
    def ours(self) -> Iterator[Store]:
        """The store for work that succeeds, or is refused."""
        with contextlib.suppress(UserError), contextlib.redirect_stdout(io.StringIO()), open_store(self.root) as store:
            yield store
        self.check_laws()

    def check_laws(self) -> None:
        """One version in Production and the alias is it; no run without a process is RUNNING; history is complete."""
        self.call("models")
        running = self.client.search_runs([one.experiment_id for one in self.experiments()], "status = 'RUNNING'")
        assert [one.info.run_id for one in running if one.data.tags.get("lock")] == []
        for model in self.models():
            held = [
                one.version for one in self.versions() if (one.name, one.current_stage) == (model.name, "Production")
            ]
            assert len(held) <= 1
            assert [str(version) for alias, version in model.aliases.items() if alias == "production"] == list(
                map(str, held)
            )
            past = [(period.version, period.since) for period in production_history(model.name)]
            assert [version for version, _ in past[-1:] if version] == list(map(str, held))
            before = self.histories.get(model.creation_timestamp, [])
            assert past[: len(before)] == before
            self.histories[model.creation_timestamp] = past

    def teardown(self) -> None:
        self.check_laws()
        shutil.rmtree(self.root)


def move(prepared: Path, folder: Path, *, trains: bool, examples: int, steps: int) -> None:
    """So many stores, each with so many moves; the same ones every time."""
    run_state_machine_as_test(
        lambda: Moves(prepared, folder, trains),
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        ),
    )  # fmt: skip


@pytest.mark.slow
def test_what_others_do_to_runs_and_versions_costs_ours_one_line_and_breaks_no_law(
    three_path: Path, tmp_path: Path
) -> None:
    move(three_path, tmp_path, trains=False, examples=4, steps=12)


@pytest.mark.nightly
def test_what_others_do_to_studies_and_trainings_costs_ours_one_line_and_breaks_no_law(
    store_path: Path, tmp_path: Path, new_search: Callable[..., Search]
) -> None:
    with open_store(store_path) as store:
        tune(new_search(trials=1))
        versions.clone("1", 2)
        versions.register(store, tmp_path, "01")
        SIZES.run(store, "sizes")
    (tmp_path / "stores").mkdir()
    move(store_path, tmp_path / "stores", trains=True, examples=12, steps=40)
