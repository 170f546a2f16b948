"""Repeats: whatever was trained is trained again from what its run recorded, and compared to the last digit."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest

from library import EpochCallback, Run, TrainingResult
from library.framework import discovery, environment, pipeline
from library.framework.cli.main import main
from library.framework.environment import compute_tags, start_keras
from library.framework.errors import UserError
from library.framework.registry.overview import overview
from library.framework.reproduction import rerun
from library.framework.reproduction.metric_diff import RunDiff
from library.framework.run import StopTraining
from library.framework.tracking import queries
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from tests import versions
from tests.tiny import Tiny

FOUND = {"tiny": Tiny}


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the tiny experiment be found beside the shipped ones."""
    monkeypatch.setattr(rerun, "find", lambda name: FOUND.get(name) or discovery.find(name))


def change(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    """Has the tiny experiment be another one."""
    monkeypatch.setitem(FOUND, "tiny", type("Changed", (Tiny,), {"name": "tiny", **parts}))


def train(store: Store, **fields: Any) -> str:
    """A run that is trained and tested, but not registered; returns its id."""
    experiment = FOUND["tiny"](**fields)
    with start_run(store, "tiny", "näme", config=experiment.config) as run:
        pipeline.train_and_test(experiment, run)
    return run.id


def trial(store: Store, stop_after: int = 0, **fields: Any) -> str:
    """A run of a trial of a study, without test scores, that is pruned after so many epochs; returns its id."""
    experiment = Tiny(**fields)

    def prune(epoch: int, _: Any) -> None:
        if epoch == stop_after:
            raise StopTraining

    with (
        start_run(store, "tiny", "a study", tags={"study": "a study"}) as parent,
        start_run(store, "tiny", "trial 000", parent=parent.id, config=experiment.config, tags={"trial": 0}) as run,
    ):
        experiment.fit(run, [EpochCallback(prune)])
        run.end(*(("KILLED", "pruned after epoch 2") if stop_after else ("FINISHED", "")))
    return run.id


def repeat(store: Store, run: str) -> tuple[queries.RunRecord, RunDiff]:
    plan = rerun.plan(run)
    rerun.start(plan)
    again, diff = rerun.repeat(plan, store)
    return queries.read_run(again), diff


def recorded(store: Store, name: str, experiment: str = "tiny", **params: Any) -> str:
    """A run without a training, of one epoch and the default config, or of these params alone; returns its id."""
    with start_run(store, experiment, name, config=None if params else Tiny.Config()) as run:
        mlflow.log_params(params)
        run.log_metrics({"val/loss": 0.5}, step=1)
    return run.id


def refused(run: str) -> str:
    with pytest.raises(UserError, match=r"^.*$") as caught:
        rerun.plan(run)
    return str(caught.value)


def test_a_training_repeats_to_the_last_digit_and_the_registry_stays_as_it_is(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    old = pipeline.train_in_full(Tiny(seed=3, epochs=2), store, run_name="näme").run
    before = overview()
    assert main(["repeat", f"--run={old[:9]}", f"--store={store.root}"], "make") == 0
    assert overview() == before
    new = queries.all_runs()[0]
    assert (new.name, new.status, new.tags["repeats"]) == ("repeat of näme", "FINISHED", old)
    assert new.tags["repeat"] == "same"
    assert new.tags["command"] == f"make repeat RUN={old}"
    recorded = queries.read_run(old)
    assert {name: new.params[name] for name in Tiny.Config.model_fields} == recorded.params
    assert new.model_metrics == recorded.model_metrics
    assert {"train/loss", "val/loss", "test/accuracy", "model/parameters"} == new.model_metrics.keys()
    table = queries.read_json(new.id, "tables/repeat.json")
    assert table["columns"] == ["metric", "same", "values", "difference", "step", "then", "now"]
    assert sorted((row[0], row[1], row[2]) for row in table["data"]) == [
        ("model/parameters", True, 1), ("test/accuracy", True, 1), ("train/loss", True, 2), ("val/loss", True, 2),
    ]  # fmt: skip
    shown = capsys.readouterr().out
    assert "näme" in shown
    assert f"Run {new.id}: the same to the last digit: 6 values of 4 metrics" in shown
    assert repeat(store, new.id)[1].is_same  # a repeat can be repeated


@pytest.mark.slow
def test_a_different_result_has_a_status_of_its_own_and_a_repeat_that_fails_leaves_a_failed_run(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(self: Tiny, run: Run, callbacks: Any) -> TrainingResult:
        return Tiny(self.config.model_copy(update={"learning_rate": 0.1})).fit(run, callbacks)

    old = train(store, epochs=2)
    with closing(sqlite3.connect(store.root / "mlflow.db")) as database, database:
        database.execute("UPDATE tags SET value = '0.1' WHERE key = 'version.keras' AND run_uuid = ?", [old])
        database.execute("UPDATE tags SET value = 'true' WHERE key = 'git.dirty'")
    monkeypatch.setattr(environment, "git_tags", lambda: {"git.commit": "c0ffee", "git.dirty": "true"})
    change(monkeypatch, fit=other)
    assert main(["repeat", f"--run={old}", f"--store={store.root}"], "make") == 1
    shown = capsys.readouterr().out
    assert re.search(r"version\.keras: 0\.1 then, \d", shown)
    assert re.search(r"git\.commit: \w+ then, c0ffee now", shown)
    assert "git.dirty: changed beyond its commit, then and now" in shown
    assert shown.index("git.commit") < shown.index("Training") < shown.index("val/loss")
    assert re.search(r"val/loss +2 +differs by up to [\d.e-]+, first at step 1: 0\.\d+ then, 0\.\d+ now", shown)
    assert re.search(r"different: [23] of 4 metrics, first at step 1, most in \S+: by up to", shown)
    assert queries.all_runs()[0].tags["repeat"] == "different"

    change(monkeypatch, test=lambda *_: json.loads("no"))
    with pytest.raises(json.JSONDecodeError):
        repeat(store, old)
    assert queries.all_runs()[0].status == "FAILED"
    assert queries.all_runs()[0].tags["repeats"] == old


@pytest.mark.slow
def test_trials_are_repeated_without_a_test_and_pruned_ones_as_far_as_they_got(store: Store) -> None:
    whole, diff = repeat(store, trial(store, epochs=3))
    assert diff.is_same
    assert set(whole.model_metrics) == {"train/loss", "val/loss"}
    pruned = trial(store, stop_after=2, epochs=5)
    plan = rerun.plan(pruned)
    assert (plan.epochs, plan.is_tested, plan.experiment.config) == (2, False, Tiny.Config(epochs=5))
    assert plan.remarks == ("it ended KILLED (pruned after epoch 2); it is repeated as far as it got, to epoch 2",)
    again, diff = repeat(store, pruned)
    assert diff.is_same
    assert list(queries.metric_history(again.id, "val/loss")) == [1, 2]
    assert again.status == "FINISHED"


def test_a_limit_in_minutes_becomes_the_epochs_that_were_made(store: Store) -> None:
    old = train(store, epochs=9, minutes=1e-6)
    assert list(queries.metric_history(old, "val/loss")) == [1]
    plan = rerun.plan(old)
    assert (plan.epochs, plan.experiment.config) == (1, Tiny.Config(epochs=9))
    assert plan.remarks == ("it had 1e-06 minutes, which cannot be repeated exactly; as many epochs as it made can: 1",)
    again, diff = repeat(store, old)
    assert diff.is_same
    assert "test/accuracy" in again.metrics


def test_a_run_is_named_by_as_much_of_its_id_as_is_unique(store: Store) -> None:
    assert refused("abc").endswith("; there is no training")
    ids = [recorded(store, name) for name in ("first", "second")]
    assert rerun.plan(ids[0].upper()).record.name == "first"
    some = f"{ids[1][:8]} (second), {ids[0][:8]} (first)"
    for wrong in ("no-such-run", "%", "_", "' OR 1", "0" * 32):
        assert refused(wrong) == f"run: got {wrong!r}, with which no run's id begins; the newest are {some}"
    with closing(sqlite3.connect(store.root / "mlflow.db")) as database, database:
        for one in ids:
            for table in ("runs", "params", "tags", "metrics", "latest_metrics"):
                database.execute(f"UPDATE {table} SET run_uuid = ? WHERE run_uuid = ?", ["abc" + one[3:], one])  # noqa: S608
    several = r"run: got 'abc', with which several ids begin: abc\w{5} \(.*\), abc.*; give more.*"
    assert re.fullmatch(several, refused("abc"))
    mlflow.delete_run("abc" + ids[0][3:])
    assert rerun.plan("abc").record.name == "second"


def test_runs_that_cannot_be_repeated_are_refused_in_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    child = trial(store, epochs=1)
    parent = queries.read_run(child).tags["mlflow.parentRunId"]
    study = f"(a study): is a whole study's and trained nothing itself; its own are {child[:8]} (trial 000)"
    assert refused(parent).endswith(study)
    with start_run(store, "cats", "side by side") as other:
        pass
    assert re.search(r"\(side by side\): recorded no config; the newest are \w{8} \(trial 000\)$", refused(other.id))
    fails = Tiny(fails="raise")
    with pytest.raises(RuntimeError), start_run(store, "tiny", "failed", config=fails.config) as failed:
        fails.fit(failed)
    assert "ended FAILED before its first epoch: RuntimeError: told to fail; nothing" in refused(failed.id)
    with start_run(store, "tiny", "running", config=Tiny.Config()) as running:
        assert refused(running.id).endswith("(running): is still running; wait for its end")
    assert "cannot be repeated: unknown experiment 'gone'; allowed are cae" in refused(recorded(store, "old", "gone"))
    change(monkeypatch, dataset_digest="others")
    assert refused(child).endswith("its data were different: their digest was points-0 and is others now")


def test_a_config_that_changed_since_is_refused_or_remarked_on(store: Store) -> None:
    fields = Tiny.Config().model_dump()
    cases = {"depth": "3", "rows_per_page": "4", "units": "1000"}
    for field, value in cases.items():
        command = environment.command("train", "tiny", {**fields, field: value})
        if field == "rows_per_page":
            command = "python -m experiments train tiny --rows-per-page=4"  # as commands once were
        with start_run(store, "tiny", field, tags={"command": command}) as run:
            mlflow.log_params({**fields, field: value, "setting": "of a model"})
            run.log_metrics({"val/loss": 0.5}, step=1)
        cases[field] = refused(run.id)
    for field in ("depth", "rows_per_page"):
        assert cases[field].endswith(f"its config had fields that 'tiny' no longer has: {field}")
    assert cases["units"].endswith("cannot be repeated: units: got '1000'; allowed is less than or equal to 64")
    plan = rerun.plan(recorded(store, "older", seed=5))
    assert plan.experiment.config == Tiny.Config(seed=5)
    assert "units: a newer field of the config; its default is used, 4" in plan.remarks


@pytest.mark.slow
def test_a_run_names_the_registered_version_that_it_depends_on_which_is_trained_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(monkeypatch, dependencies=[type("Reader", (Tiny,), {"name": "reader"})(units=2)])
    needed = "needs a registered reader of the same data, and there is none; make train-reader UNITS=2 makes one"
    assert refused(recorded(store, "drawing")).endswith(needed)
    versions.register(store, tmp_path, "01")  # from other data
    change(monkeypatch, dependencies=[Tiny(units=3)])
    for seed in (5, 6):
        pipeline.train_dependencies(FOUND["tiny"](), store)
        assert queries.read_run(train(store, seed=seed)).tags["needed.tiny"] == "version 2"
    assert capsys.readouterr().out.count("Training tiny first") == 1
    [needed] = [one for one in queries.all_runs() if one.params.get("units") == "3"]
    assert "needed.tiny" not in needed.tags


def test_a_run_records_what_it_computed_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    start_keras(1)
    run = recorded(store, "run")
    tags = queries.read_run(run).tags
    assert tags["compute.threads"] == "3"
    assert {"compute.cores", "compute.backend", "compute.devices", "machine.cpu"} <= tags.keys()
    assert compute_tags().items() <= tags.items()
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    differences = rerun.start(rerun.plan(run))
    assert compute_tags()["compute.threads"] == "3"  # as many as then, whatever the experiment would have now
    assert {name for name in differences if name != "git.dirty"} == set()
